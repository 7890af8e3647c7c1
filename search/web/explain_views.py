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
from search.explain.explain import ExplainedQuery, Explanation, explain
from search.web.forms import WhyForm
from search.web.results import unanswered


@dataclass(frozen=True, slots=True)
class Explained:
    """What one space says, ready to be shown."""

    explanation: Explanation
    drawing: Drawing


@require_safe
def why(request: HttpRequest, pk: int) -> HttpResponse:
    image = get_object_or_404(Image, pk=pk)
    form = WhyForm(request.GET)
    context: dict[str, object] = {"image": image, "form": form}
    if not form.is_valid():
        return render(request, "search/why.html", context, status=400)
    try:
        searched = form.explained()
    except (GalleryError, SearchError, OSError) as error:
        problem = localized(error.message) if isinstance(error, SearchError) else str(error)
        return render(request, "search/why.html", context | {"problem": problem}, status=400)
    if searched is None:
        raise Http404("The picture that was searched by is not here any more.")
    explanations = explain(searched, image)
    surest_first = sorted(explanations.by_space.values(), key=lambda explanation: -explanation.score)
    explained = [Explained(each, drawing(each, searched, image)) for each in surest_first]
    context |= {"searched": searched, "why": explanations, "explained": explained, "back": _back(searched)}
    return render(request, "search/why.html", context | {"skipped": unanswered(explanations.skipped)})


def _back(searched: ExplainedQuery) -> str:
    """Where the search is."""
    if searched.image:
        return f"{searched.image.get_absolute_url()}#similar"
    return searched.upload.get_absolute_url() if searched.upload else ""
