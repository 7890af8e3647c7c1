"""The page that explains a result."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from gallery.exceptions import GalleryError
from gallery.models import Image
from gallery.web.i18n import localized
from search.exceptions import SearchError
from search.explain.drawing import Drawing, drawing
from search.explain.explain import Asked, Said, explain
from search.web.forms import WhyForm
from search.web.results import unanswered


@dataclass(frozen=True, slots=True)
class Explained:
    """What one space says, ready to be shown."""

    said: Said
    drawing: Drawing


@require_safe
def why(request: HttpRequest, pk: int) -> HttpResponse:
    image = get_object_or_404(Image, pk=pk)
    form = WhyForm(request.GET)
    context: dict[str, object] = {"image": image, "form": form}
    if not form.is_valid():
        return render(request, "search/why.html", context, status=400)
    try:
        asked = form.asked()
    except (GalleryError, SearchError, OSError) as error:
        problem = localized(error.message) if isinstance(error, SearchError) else str(error)
        return render(request, "search/why.html", context | {"problem": problem}, status=400)
    if asked is None:
        raise Http404("The picture that was searched by is not here any more.")
    found = explain(asked, image)
    surest_first = sorted(found.said, key=lambda said: -said.score)
    explained = [Explained(said, drawing(said, asked, image)) for said in surest_first]
    context |= {"asked": asked, "why": found, "explained": explained, "back": _back(asked)}
    return render(request, "search/why.html", context | {"skipped": unanswered(found.skipped)})


def _back(asked: Asked) -> str:
    """Where the search is."""
    if asked.image:
        return f"{asked.image.get_absolute_url()}#similar"
    return asked.kept.get_absolute_url() if asked.kept else ""
