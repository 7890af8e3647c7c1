"""The trash: what is in it, back out of it, or gone for good."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from gallery import services as gallery
from gallery.models import TRASH_KEPT, Image
from search.duplicates import desk
from search.duplicates.forms import PicturesForm
from search.duplicates.views import staff

NEEDED = "gallery.delete_image"


@require_safe
@staff(NEEDED)
def trash(request: HttpRequest) -> HttpResponse:
    try:
        images, following = desk.trash(request.GET.get("page", ""))
    except InvalidPage as error:
        raise Http404(str(error)) from error
    for_good = [(image, image.trashed_at + TRASH_KEPT) for image in images if image.trashed_at]
    context = {"images": for_good, "next": following, "days": TRASH_KEPT.days}
    return render(request, "duplicates/trash.html", context)


@require_POST
@staff(NEEDED)
def restore(request: HttpRequest) -> HttpResponse:
    number = len(gallery.restore_images(ids=_chosen(request)))
    said = ngettext("%(count)s picture restored.", "%(count)s pictures restored.", number) % {"count": number}
    messages.success(request, said if number else _("Choose pictures to restore."))
    return redirect("duplicates:trash")


@require_POST
@staff(NEEDED)
def purge(request: HttpRequest) -> HttpResponse:
    """Asked once more before anything is deleted."""
    chosen = Image.everything.filter(trashed_at__isnull=False, pk__in=_chosen(request))
    if chosen and "sure" not in request.POST:
        return render(request, "duplicates/purge.html", {"images": chosen})
    number = gallery.purge_trash(ids=[image.pk for image in chosen])
    said = ngettext("%(count)s picture deleted for good.", "%(count)s pictures deleted for good.", number)
    messages.success(request, said % {"count": number} if number else _("Choose pictures to delete."))
    return redirect("duplicates:trash")


def _chosen(request: HttpRequest) -> list[int]:
    form = PicturesForm({"image": ",".join(request.POST.getlist("image"))})
    return form.cleaned_data["image"] if form.is_valid() else []
