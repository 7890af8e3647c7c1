"""Pages of the trash: move a picture there, see what is in it, restore it or delete it for good."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core import signing
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gallery import services
from gallery.forms import PicturesForm
from gallery.models import TRASH_RETENTION, Image
from gallery.trash.listing import trash_page
from gallery.web.permissions import staff_only
from gallery.web.requests import previous_page

UNDO_SALT = "gallery.trash.undo"
MAY_PURGE = "gallery.delete_image"


@require_http_methods(["GET", "POST"])
@login_required
@permission_required("gallery.delete_image", raise_exception=True)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, then move the picture to the trash."""
    image = get_object_or_404(Image, pk=pk)
    if request.method == "GET":
        return render(request, "gallery/delete.html", {"image": image, "days": TRASH_RETENTION.days})
    text = _("Moved “%(title)s” to the trash. It will be deleted permanently in %(days)s days.")
    message = text % {"title": image, "days": TRASH_RETENTION.days}
    offer_undo(request, message, services.trash_images(ids=[pk]))
    return redirect("gallery:index")


def offer_undo(request: HttpRequest, message: str, ids: Sequence[int]) -> None:
    """Show on the next page what went into the trash, with a button that restores it: templates/base.html."""
    messages.success(request, message, extra_tags=signing.dumps(ids, salt=UNDO_SALT, compress=True))


@require_POST
@login_required
@permission_required("gallery.delete_image", raise_exception=True)
def undo(request: HttpRequest) -> HttpResponse:
    """Restore the pictures of a message by ``offer_undo``."""
    try:
        ids = signing.loads(request.POST.get("undo", ""), salt=UNDO_SALT, max_age=TRASH_RETENTION)
    except signing.BadSignature:
        raise Http404("This can no longer be undone.") from None
    _restore(request, ids, _("There is nothing left to restore."))
    return redirect(previous_page(request))


@require_safe
@staff_only(MAY_PURGE)
def trash(request: HttpRequest) -> HttpResponse:
    """What is in the trash, and until when."""
    try:
        page = trash_page(request.GET.get("page", ""))
    except InvalidPage as error:
        raise Http404(str(error)) from error
    images = [(image, image.trashed_at + TRASH_RETENTION) for image in page.images if image.trashed_at]
    return render(request, "gallery/trash.html", {"images": images, "next": page.next, "days": TRASH_RETENTION.days})


@require_POST
@staff_only(MAY_PURGE)
def restore(request: HttpRequest) -> HttpResponse:
    """Restore the selected pictures."""
    _restore(request, _selected(request), _("Select pictures to restore."))
    return redirect("gallery:trash")


@require_POST
@staff_only(MAY_PURGE)
def purge(request: HttpRequest) -> HttpResponse:
    """Ask, then delete the selected pictures for good."""
    # Only of the trash: a forged form must not delete what is shown.
    images = Image.in_trash.filter(pk__in=_selected(request))
    if images and "sure" not in request.POST:
        return render(request, "gallery/purge.html", {"images": images})
    count = services.purge_trash(ids=[image.pk for image in images])
    text = ngettext("Permanently deleted %(count)s picture.", "Permanently deleted %(count)s pictures.", count)
    messages.success(request, text % {"count": count} if count else _("Select pictures to delete."))
    return redirect("gallery:trash")


def _restore(request: HttpRequest, ids: Sequence[int], if_none: str) -> None:
    count = len(services.restore_images(ids=ids))
    text = ngettext("Restored %(count)s picture.", "Restored %(count)s pictures.", count) % {"count": count}
    messages.success(request, text if count else if_none)


def _selected(request: HttpRequest) -> list[int]:
    form = PicturesForm({"image": ",".join(request.POST.getlist("image"))})
    return form.cleaned_data["image"] if form.is_valid() else []
