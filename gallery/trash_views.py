"""A picture goes into the trash, and comes back when somebody thinks better of it."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from gallery import services
from gallery.models import TRASH_KEPT, Image
from gallery.views import came_from

SALT = "gallery.trash.undo"


@require_http_methods(["GET", "POST"])
@login_required
@permission_required("gallery.delete_image", raise_exception=True)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Put a picture into the trash, out of which it can be taken again."""
    doomed = get_object_or_404(Image, pk=pk)
    if request.method == "GET":
        return render(request, "gallery/delete.html", {"image": doomed, "days": TRASH_KEPT.days})
    said = _("“%(title)s” is in the trash, where it stays for %(days)s days.")
    tell_trashed(request, said % {"title": doomed, "days": TRASH_KEPT.days}, services.trash_images(ids=[pk]))
    return redirect("gallery:index")


def tell_trashed(request: HttpRequest, said: str, ids: Sequence[int]) -> None:
    """Say on the next page what went into the trash, with a button that brings it back: templates/base.html."""
    messages.success(request, said, extra_tags=signing.dumps(ids, salt=SALT, compress=True))


@require_POST
@login_required
@permission_required("gallery.delete_image", raise_exception=True)
def restore(request: HttpRequest) -> HttpResponse:
    """Undo what ``tell_trashed`` told of."""
    try:
        ids = signing.loads(request.POST.get("undo", ""), salt=SALT, max_age=TRASH_KEPT)
    except signing.BadSignature:
        raise Http404("This can no longer be undone.") from None
    number = len(services.restore_images(ids=ids))
    said = ngettext("%(count)s picture restored.", "%(count)s pictures restored.", number) % {"count": number}
    messages.success(request, said if number else _("There is nothing to restore any more."))
    return redirect(came_from(request))
