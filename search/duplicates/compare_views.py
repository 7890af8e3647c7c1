"""Two pictures compared: side by side, laid over each other, and their difference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from gallery.exceptions import ImageRejected
from gallery.models import MAX_ID, Image
from gallery.web.permissions import MAY_DECIDE, staff_only
from search.collection import pixels_of
from search.duplicates import detection, rendering, review
from search.duplicates.alignment import IDENTITY, Matrix, inverse
from search.duplicates.models import Member
from search.duplicates.pixel_cache import PixelCache
from search.types import Pixels

Fact = tuple[Promise, str, str, int]
VIEWS = (("side", _("Side by side")), ("overlay", _("Overlay")), ("difference", _("Difference")))


@require_safe
@staff_only()
def compare(request: HttpRequest, first_id: int, second_id: int) -> HttpResponse:
    first, second = _both(first_id, second_id)
    related = review.pairs_among([first_id, second_id])
    members = Member.objects.filter(image__in=[first_id, second_id])
    group = next((row["group"] for row in members.values("group").annotate(n=Count("pk")) if row["n"] == 2), None)
    chosen = request.GET.get("view", "")
    context = {
        "first": first,
        "second": second,
        "relation": review.relation_of(first, second, related),
        "group": group,
        "facts": _facts(first, second),
        "views": VIEWS,
        "view": chosen if chosen in dict(VIEWS) else "side",
        "may_decide": request.user.has_perms(MAY_DECIDE),
    }
    return render(request, "duplicates/compare.html", context)


@require_safe
@staff_only()
def aligned(request: HttpRequest, first_id: int, second_id: int) -> HttpResponse:
    return _drawn(first_id, second_id, rendering.aligned)


@require_safe
@staff_only()
def difference(request: HttpRequest, first_id: int, second_id: int) -> HttpResponse:
    return _drawn(first_id, second_id, rendering.difference)


def _both(first_id: int, second_id: int) -> tuple[Image, Image]:
    keys = [key for key in (first_id, second_id) if key <= MAX_ID]
    images = Image.objects.prefetch_related("tags", "albums").in_bulk(keys)
    if len(images) < 2:
        raise Http404("One of these pictures is no longer there.")
    return images[first_id], images[second_id]


def _drawn(first_id: int, second_id: int, draw: Callable[[Pixels, Pixels, Matrix], bytes]) -> HttpResponse:
    first, second = _both(first_id, second_id)
    try:
        data = draw(pixels_of(first), pixels_of(second), _matrix(first, second))
    except (OSError, ImageRejected) as error:
        raise Http404("One of these pictures cannot be read.") from error
    return HttpResponse(data, content_type="image/webp")


def _matrix(first: Image, second: Image) -> Matrix:
    """How the second lies in the first; the identity if they are no duplicates."""
    lower, upper = sorted([first, second], key=lambda image: image.pk)
    row = review.pairs_among([first.pk, second.pk]).get((lower.pk, upper.pk))
    comparison = review.comparison_of(row) if row else detection.compare(lower, upper, PixelCache(), detection.Clue())
    if comparison is None:
        return IDENTITY
    return comparison.matrix if first is lower else inverse(comparison.matrix)


def _facts(first: Image, second: Image) -> list[Fact]:
    """Label, text of the first, text of the second, and which of them is better: 1, 2, or 0 for neither."""
    return [
        _fact(_("Size"), first, second, lambda image: f"{image.width:,} × {image.height:,}", _pixels),
        _fact(_("Format"), first, second, lambda image: image.format),
        _fact(_("File size"), first, second, lambda image: filesizeformat(image.bytes)),
        _fact(_("Taken"), first, second, lambda image: _when(image.taken_at)),
        _fact(_("Camera"), first, second, lambda image: image.camera or "–"),
        _fact(_("Added"), first, second, lambda image: _when(image.created_at), _age),
        _fact(_("Tags"), first, second, lambda image: ", ".join(tag.name for tag in image.tags.all()) or "–", _tags),
        _fact(_("Albums"), first, second, lambda image: ", ".join(album.title for album in image.albums.all()) or "–"),
    ]


def _fact(
    label: Promise,
    first: Image,
    second: Image,
    text: Callable[[Image], str],
    measure: Callable[[Image], float] = lambda image: 0,
) -> Fact:
    value, other = measure(first), measure(second)
    return label, text(first), text(second), 0 if value == other else 1 if value > other else 2


def _when(time: datetime | None) -> str:
    return date_format(timezone.localtime(time), "DATETIME_FORMAT") if time else "–"


def _pixels(image: Image) -> float:
    return image.width * image.height


def _age(image: Image) -> float:
    return -image.created_at.timestamp()


def _tags(image: Image) -> float:
    return image.tags.count()
