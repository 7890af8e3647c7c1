"""The map's page, what it loads, and what is done with a selection: read the request, call, render."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import permission_required
from django.core.files.storage import default_storage
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import condition, require_POST, require_safe
from rest_framework.throttling import UserRateThrottle

from gallery import services as gallery
from gallery.models import THUMBNAIL_SIZES, Album, Image
from gallery.web.i18n import localized
from gallery.zip_download import too_large_for_zip
from search.exceptions import SearchError
from search.map import positions, selection, services, tiles
from search.map.forms import AlbumForm, ExportForm, MapForm, MeanForm, TagForm
from search.map.models import Layout, Tile
from search.methods import label_of

SIMILAR_SHOWN = 40
ALBUMS_OFFERED = 200
STAGES = {  # as search/map/build.py names them
    "reading features": gettext_lazy("Reading features"),
    "laying out": gettext_lazy("Arranging pictures"),
    "naming groups": gettext_lazy("Naming groups"),
    "drawing": gettext_lazy("Drawing pictures"),
    "drawing the whole": gettext_lazy("Drawing the overview"),
}
SCRIPTS = [f"map/{name}.js" for name in ("positions", "tiles", "painter", "view", "map", "finder", "controls")]


class SearchThrottle(UserRateThrottle):
    """Counts together with the API's searches, for requests of Django too."""

    scope = "search"


@require_safe
def map_page(request: HttpRequest) -> HttpResponse:
    form = MapForm(request.GET)
    space = form.cleaned_data["space"] if form.is_valid() else ""
    maps = services.mapped()
    shown = next((layout for layout in maps if layout.space == space), maps[0] if maps else None)
    waiting = Layout.objects.defer("positions").filter(state__in=Layout.UNFINISHED).first()
    context: dict[str, Any] = {"maps": maps, "shown": shown, "waiting": waiting, "scripts": SCRIPTS}
    context["stage"] = STAGES.get(waiting.stage, waiting.stage) if waiting else ""
    if shown:
        context["count"] = shown.count + shown.points.filter(slot__gte=shown.count, gone=False).count()
    else:
        context["enough"] = bool(services.mappable()) and Image.objects.count() >= services.FEWEST
    if request.user.has_perm("gallery.change_album"):
        context["albums"] = Album.objects.order_by("title")[:ALBUMS_OFFERED]
    return render(request, "map/map.html", context)


def _etag(request: HttpRequest, pk: int) -> str:
    return positions.etag(_layout(pk))


@require_safe
@condition(etag_func=_etag)
@gzip_page
def all_positions(request: HttpRequest, pk: int) -> HttpResponse:
    """Every picture's position, in the format of search/map/codec.py for browsers."""
    response = HttpResponse(positions.browser_bytes(_layout(pk)), content_type="application/octet-stream")
    response["Cache-Control"] = "private, no-cache"
    return response


@require_safe
def tile(request: HttpRequest, pk: int, level: int, number: int, digest: str) -> HttpResponseBase:
    """A tile of thumbnails. Its address changes with its content; an old address answers with the current content."""
    row = get_object_or_404(Tile, layout=pk, level=level, number=number)
    try:
        file = default_storage.open(tiles.file_name(row))
    except FileNotFoundError:
        tiles.note_lost(row)
        raise Http404 from None
    return _picture(file, immutable=row.digest == digest)


@require_safe
def thumbnail(request: HttpRequest, pk: int, size: int) -> HttpResponseBase:
    """A picture's thumbnail from this site, even where thumbnails are served by another host.

    Scripts may not read the pixels of a canvas that has drawn what another host served.
    """
    if size not in THUMBNAIL_SIZES:
        raise Http404
    image = get_object_or_404(Image, pk=pk, thumbnailed=True)
    try:
        return _picture(
            default_storage.open(image.thumbnail_name(min(size, image.thumbnail_sizes[-1]))), immutable=True
        )
    except FileNotFoundError:
        raise Http404 from None


@require_safe
def overview(request: HttpRequest, pk: int) -> HttpResponseBase:
    layout = _layout(pk)
    if not layout.overview or not default_storage.exists(layout.overview):
        raise Http404
    return _picture(default_storage.open(layout.overview), immutable=False)


def _picture(file: Any, *, immutable: bool) -> FileResponse:
    response = FileResponse(file, content_type="image/webp")
    audience = "public" if settings.PUBLIC_READING else "private"
    response["Cache-Control"] = f"{audience}, max-age=31536000, immutable" if immutable else "no-cache"
    return response


def _layout(pk: int) -> Layout:
    return get_object_or_404(Layout.objects.defer("positions"), pk=pk, state=Layout.State.DONE)


@require_POST
@permission_required("gallery.change_image", raise_exception=True)
def tag(request: HttpRequest) -> HttpResponse:
    form = TagForm(request.POST)
    if not form.is_valid():
        return _refused(form)
    count = gallery.add_tags(ids=form.cleaned_data["ids"], names=form.cleaned_data["tags"])
    message = ngettext("Tagged %(count)s picture.", "Tagged %(count)s pictures.", count) % {"count": count}
    return JsonResponse({"message": message})


@require_POST
@permission_required(["gallery.change_album", "gallery.add_album"], raise_exception=True)
def album(request: HttpRequest) -> HttpResponse:
    form = AlbumForm(request.POST)
    if not form.is_valid():
        return _refused(form)
    filled = gallery.add_to_album(**form.cleaned_data)
    count = filled.images.count()
    message = ngettext("“%(title)s” now has %(count)s picture.", "“%(title)s” now has %(count)s pictures.", count)
    return JsonResponse({"message": message % {"title": filled, "count": count}})


@require_POST
def export(request: HttpRequest) -> HttpResponseBase:
    """A selection as a file to keep."""
    form = ExportForm(request.POST)
    if not form.is_valid():
        return _refused(form)
    if not SearchThrottle().allow_request(cast(Any, request), cast(Any, None)):
        return HttpResponse(
            _("Too many downloads in a short time. Wait a minute."), status=429, content_type="text/plain"
        )
    images, name = selection.selected(form.cleaned_data["ids"]), form.cleaned_data["format"]
    if name == "zip" and too_large_for_zip(images):
        return HttpResponse(
            _("The selection is larger than 2 GB. Select fewer pictures."), status=400, content_type="text/plain"
        )
    media_type, write = selection.EXPORTS[name]
    response = StreamingHttpResponse(write(images), content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="pictures.{name}"'
    return response


@require_POST
def similar(request: HttpRequest) -> HttpResponse:
    """Pictures near the mean of a selection."""
    form = MeanForm(request.POST)
    if not form.is_valid():
        return _refused(form)
    if not SearchThrottle().allow_request(cast(Any, request), cast(Any, None)):
        return JsonResponse({"message": _("Too many searches in a short time. Wait a minute.")}, status=429)
    find = partial(selection.similar_to_mean, limit=min(SIMILAR_SHOWN, settings.MAX_RESULTS))
    try:
        result = find(**form.cleaned_data)
    except SearchError as error:
        return JsonResponse({"message": localized(error.message)}, status=400)
    count = len(form.cleaned_data["ids"])
    context = {"result": result, "count": count, "label": _(label_of(form.cleaned_data["space"]))}
    return render(request, "map/_similar.html", context)


def _refused(form: forms.Form) -> JsonResponse:
    texts = [str(text) for of_field in form.errors.values() for text in of_field]
    return JsonResponse({"message": " ".join(texts)}, status=400)
