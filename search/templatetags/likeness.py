"""How likeness is shown: results, and the section “more like this” that the picture's page includes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import template
from django.http import HttpRequest
from django.template.context import RequestContext
from django.utils import timezone

from gallery.models import Image
from search.answers import Answer, answers
from search.engine import ALL, query_by_image, search
from search.exceptions import SearchError
from search.forms import METHOD_CHOICES, SearchForm
from search.methods import METHODS
from search.types import Evidence, Hit, Result

register = template.Library()

HARDLY = 0.1  # a score below it says nothing to people
SOON = timedelta(minutes=10)  # after that a picture that lacks features is not about to get them


@register.simple_tag
def methods() -> list[tuple[str, str]]:
    """Every choice of a method, with its label."""
    return METHOD_CHOICES


@register.inclusion_tag("search/_similar.html", takes_context=True)
def more_like_this(context: RequestContext, image: Image) -> dict[str, Any]:
    """Pictures like this one, by the ``method`` and ``limit`` of the page's address."""
    request: HttpRequest = context["request"]
    form = SearchForm(request.GET)
    shown = {"request": request, "image": image, "method": request.GET.get("method", ALL)}
    if not form.is_valid():
        return shown | {"problem": " ".join(str(message) for each in form.errors.values() for message in each)}
    method, limit = form.cleaned_data["method"], form.cleaned_data["limit"]
    query = query_by_image(image.pk, method)
    soon = bool(query.missing) and timezone.now() - image.created_at < SOON
    try:
        return shown | {"method": method, "result": search(query, method=method, limit=limit), "soon": soon}
    except SearchError as error:
        return shown | {"problem": str(error)}


@register.inclusion_tag("search/_results.html")
def results(result: Result) -> dict[str, Any]:
    """The pictures of a result; those in which no space sees much of a likeness come apart."""
    found = answers(result)
    alike = [answer for answer in found if _likeness(answer) >= HARDLY]
    return {"result": result, "alike": alike, "others": [answer for answer in found if answer not in alike]}


def _likeness(answer: Answer) -> float:
    return max(found.score for found in answer.hit.methods.values())


@register.filter
def percent(score: float) -> str:
    """A share as people say it; 100% only where nothing differs."""
    return f"{int(100 * score)}%"


@register.filter
def space_label(space: str) -> str:
    """A space's name for people."""
    return METHODS[space][0] if space in METHODS else space


@register.filter
def grounds(hit: Hit) -> list[tuple[str, Evidence]]:
    """The spaces that see a likeness, and what they see; the surest first."""
    seen = [(space_label(space), found) for space, found in hit.methods.items() if found.score > 0]
    return sorted(seen, key=lambda one: -one[1].score)
