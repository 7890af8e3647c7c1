"""Pages of albums and tags, and what is done with a selection of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from gallery import services
from gallery.forms import AlbumForm, SelectionForm
from gallery.models import TRASH_RETENTION, Album, Image, Tag
from gallery.trash.views import offer_undo
from gallery.views import gallery_page
from gallery.web.counting import cached_count
from gallery.web.requests import previous_page
from gallery.zip_download import as_zip, too_large_for_zip

MOST_TAGS = 2_000
SHOWN = Q(images__trashed_at=None)


@require_safe
def tags(request: HttpRequest) -> HttpResponse:
    """Every tag with the number of its pictures, the commonest first or by name."""
    by_name = request.GET.get("sort") == "name"
    counted = Tag.objects.annotate(count=Count("images", filter=SHOWN)).filter(count__gt=0)
    ordered = counted.order_by("name") if by_name else counted.order_by("-count", "name")
    shown = cached_count("tags-by-name" if by_name else "tags", lambda: list(ordered[:MOST_TAGS]))
    return render(request, "gallery/tags.html", {"tags": shown, "by_name": by_name})


@require_http_methods(["GET", "HEAD", "POST"])
def albums(request: HttpRequest) -> HttpResponse:
    """All albums; posting makes a new one."""
    form = AlbumForm(request.POST or None)
    if request.method == "POST":
        return _new_album(request, form)
    return _albums(request, form)


@login_required
@permission_required("gallery.add_album", raise_exception=True)
def _new_album(request: HttpRequest, form: AlbumForm) -> HttpResponse:
    if not form.is_valid():
        return _albums(request, form, 400)
    services.save_album(album=form.instance)
    return redirect("gallery:album", form.instance.pk)


def _albums(request: HttpRequest, form: AlbumForm, status: int = 200) -> HttpResponse:
    found = list(Album.objects.annotate(count=Count("images", filter=SHOWN), cover=Max("images", filter=SHOWN)))
    covers = Image.objects.in_bulk([album.cover for album in found if album.cover])
    shown = [(album, covers.get(album.cover)) for album in found]
    return render(request, "gallery/albums.html", {"albums": shown, "form": form}, status=status)


@require_safe
@vary_on_headers("HX-Request")
def album(request: HttpRequest, pk: int) -> HttpResponse:
    return gallery_page(request, get_object_or_404(Album, pk=pk))


@require_http_methods(["GET", "POST"])
@login_required
@permission_required("gallery.change_album", raise_exception=True)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    changed = get_object_or_404(Album, pk=pk)
    form = AlbumForm(request.POST or None, instance=changed)
    if request.method == "POST" and form.is_valid():
        services.save_album(album=form.instance)
        messages.success(request, _("Saved."))
        return redirect("gallery:album", pk)
    return render(
        request, "gallery/album_edit.html", {"album": changed, "form": form}, status=400 if form.errors else 200
    )


@require_POST
@login_required
@permission_required("gallery.delete_album", raise_exception=True)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete an album; its pictures stay."""
    doomed = get_object_or_404(Album, pk=pk)
    services.delete_albums(ids=[pk])
    said = _("The album “%(title)s” is deleted. Its pictures are still in the gallery.")
    messages.success(request, said % {"title": doomed})
    return redirect("gallery:albums")


@require_POST
def selection(request: HttpRequest) -> HttpResponseBase:
    """Do something with the selected pictures: ``do`` is one of the names below."""
    form = SelectionForm(request.POST)
    act = ACTIONS.get(request.POST.get("do", ""))
    if act is None or not form.is_valid():
        messages.error(request, _("Select pictures first."))
        return redirect(previous_page(request))
    return act(request, form.cleaned_data)


def _download(request: HttpRequest, asked: dict[str, Any]) -> HttpResponseBase:
    images = Image.objects.filter(pk__in=asked["ids"]).order_by("pk")
    if too_large_for_zip(images):
        messages.error(request, _("These are more than 2 GB. Select fewer."))
        return redirect(previous_page(request))
    headers = {"Content-Disposition": 'attachment; filename="pictures.zip"'}
    return StreamingHttpResponse(as_zip(images), content_type="application/zip", headers=headers)


@login_required
@permission_required("gallery.change_image", raise_exception=True)
def _tag(request: HttpRequest, asked: dict[str, Any]) -> HttpResponseBase:
    if not asked["tags"]:
        messages.error(request, _("Write the tags to give."))
        return redirect(previous_page(request))
    count = services.add_tags(ids=asked["ids"], names=asked["tags"])
    said = ngettext("%(count)s tagged “%(tags)s”.", "%(count)s tagged “%(tags)s”.", count)
    messages.success(request, said % {"count": count, "tags": ", ".join(asked["tags"])})
    return redirect(previous_page(request))


@login_required
@permission_required(["gallery.add_album", "gallery.change_album"], raise_exception=True)
def _to_album(request: HttpRequest, asked: dict[str, Any]) -> HttpResponseBase:
    if not asked["album"]:
        messages.error(request, _("Write the title of an album, new or old."))
        return redirect(previous_page(request))
    found = services.add_to_album(ids=asked["ids"], title=asked["album"])
    messages.success(request, _("Put into “%(title)s”.") % {"title": found})
    return redirect("gallery:album", found.pk)


@login_required
@permission_required("gallery.change_album", raise_exception=True)
def _from_album(request: HttpRequest, asked: dict[str, Any]) -> HttpResponseBase:
    found = get_object_or_404(Album, title=asked["album"])
    services.remove_from_album(ids=asked["ids"], album=found)
    messages.success(request, _("Taken out of “%(title)s”.") % {"title": found})
    return redirect(previous_page(request))


@login_required
@permission_required("gallery.delete_image", raise_exception=True)
def _trash(request: HttpRequest, asked: dict[str, Any]) -> HttpResponseBase:
    gone = services.trash_images(ids=asked["ids"])
    said = _("%(count)s put into the trash, where they stay for %(days)s days.")
    offer_undo(request, said % {"count": len(gone), "days": TRASH_RETENTION.days}, gone)
    return redirect(previous_page(request))


ACTIONS: dict[str, Callable[[HttpRequest, dict[str, Any]], HttpResponseBase]] = {
    "download": _download,
    "tag": _tag,
    "album": _to_album,
    "remove": _from_album,
    "trash": _trash,
}
