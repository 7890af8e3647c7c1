"""What is done with a selection of pictures: download, tag, put into an album, take out of it, move to the trash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from gallery import services
from gallery.forms import SelectionForm
from gallery.models import TRASH_RETENTION, Album, Image
from gallery.trash.views import offer_undo
from gallery.web.requests import previous_page
from gallery.zip_download import as_zip, too_large_for_zip


@require_POST
def selection(request: HttpRequest) -> HttpResponseBase:
    """Do something with the selected pictures: ``do`` is one of ACTIONS."""
    form = SelectionForm(request.POST)
    act = ACTIONS.get(request.POST.get("do", ""))
    if act is None or not form.is_valid():
        messages.error(request, _("Select pictures first."))
        return redirect(previous_page(request))
    return act(request, form.cleaned_data)


def _download(request: HttpRequest, cleaned: dict[str, Any]) -> HttpResponseBase:
    images = Image.objects.filter(pk__in=cleaned["ids"]).order_by("pk")
    # Before the first byte is sent: later there is no way to say it.
    if too_large_for_zip(images):
        messages.error(request, _("The selection is larger than 2 GB. Select fewer pictures."))
        return redirect(previous_page(request))
    headers = {"Content-Disposition": 'attachment; filename="pictures.zip"'}
    return StreamingHttpResponse(as_zip(images), content_type="application/zip", headers=headers)


@login_required
@permission_required("gallery.change_image", raise_exception=True)
def _tag(request: HttpRequest, cleaned: dict[str, Any]) -> HttpResponseBase:
    if not cleaned["tags"]:
        messages.error(request, _("Enter at least one tag."))
        return redirect(previous_page(request))
    count = services.add_tags(ids=cleaned["ids"], names=cleaned["tags"])
    text = ngettext("Tagged %(count)s picture “%(tags)s”.", "Tagged %(count)s pictures “%(tags)s”.", count)
    messages.success(request, text % {"count": count, "tags": ", ".join(cleaned["tags"])})
    return redirect(previous_page(request))


@login_required
@permission_required(["gallery.add_album", "gallery.change_album"], raise_exception=True)
def _to_album(request: HttpRequest, cleaned: dict[str, Any]) -> HttpResponseBase:
    if not cleaned["album"]:
        messages.error(request, _("Enter the title of a new or existing album."))
        return redirect(previous_page(request))
    album = services.add_to_album(ids=cleaned["ids"], title=cleaned["album"])
    messages.success(request, _("Added to “%(title)s”.") % {"title": album})
    return redirect("gallery:album", album.pk)


@login_required
@permission_required("gallery.change_album", raise_exception=True)
def _from_album(request: HttpRequest, cleaned: dict[str, Any]) -> HttpResponseBase:
    album = get_object_or_404(Album, title=cleaned["album"])
    services.remove_from_album(ids=cleaned["ids"], album=album)
    messages.success(request, _("Removed from “%(title)s”.") % {"title": album})
    return redirect(previous_page(request))


@login_required
@permission_required("gallery.delete_image", raise_exception=True)
def _trash(request: HttpRequest, cleaned: dict[str, Any]) -> HttpResponseBase:
    trashed = services.trash_images(ids=cleaned["ids"])
    text = ngettext(
        "Moved %(count)s picture to the trash. It will be deleted permanently in %(days)s days.",
        "Moved %(count)s pictures to the trash. They will be deleted permanently in %(days)s days.",
        len(trashed),
    )
    offer_undo(request, text % {"count": len(trashed), "days": TRASH_RETENTION.days}, trashed)
    return redirect(previous_page(request))


ACTIONS: dict[str, Callable[[HttpRequest, dict[str, Any]], HttpResponseBase]] = {
    "download": _download,
    "tag": _tag,
    "album": _to_album,
    "remove": _from_album,
    "trash": _trash,
}
