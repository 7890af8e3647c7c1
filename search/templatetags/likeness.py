"""How likeness is shown: results, and the section “more like this” that the picture's page includes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django import template
from django.http import HttpRequest
from django.template.context import RequestContext
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gallery.exceptions import ImageRejected
from gallery.models import Image
from gallery.web.i18n import localized
from search.exceptions import SearchError
from search.methods import ALL, label_of
from search.model_registry import registry
from search.retrieval.engine import search
from search.retrieval.queries import query_by_stored
from search.retrieval.regions import Region
from search.types import Evidence, Hit, Result
from search.web.forms import StoredSearchForm, method_choices
from search.web.results import Answer, answers, unanswered

register = template.Library()

HARDLY = 0.1  # a score below it says nothing to people
SOON = timedelta(minutes=10)  # after that a picture that lacks features is not about to get them


PARTS = (
    ("0.25,0.25,0.5,0.5", _("Centre")),
    ("0,0,0.5,1", _("Left half")),
    ("0.5,0,0.5,1", _("Right half")),
    ("0,0,1,0.5", _("Top half")),
    ("0,0.5,1,0.5", _("Bottom half")),
    ("0,0,0.5,0.5", _("Top left")),
    ("0.5,0,0.5,0.5", _("Top right")),
    ("0,0.5,0.5,0.5", _("Bottom left")),
    ("0.5,0.5,0.5,0.5", _("Bottom right")),
)


@register.simple_tag
def methods() -> list[tuple[str, Any]]:
    """Every choice of a method, with its label."""
    return method_choices()


@register.simple_tag
def text_model() -> registry.TextModel:
    """Who answers words."""
    return registry.text_model()


@register.inclusion_tag("search/_similar.html", takes_context=True)
def more_like_this(context: RequestContext, image: Image) -> dict[str, Any]:
    """Pictures like this one, or like a part of it, by the parameters of the page's address."""
    request: HttpRequest = context["request"]
    form = StoredSearchForm(request.GET)
    shown = {"request": request, "image": image, "method": request.GET.get("method", ALL)}
    if not form.is_valid():
        return shown | {"problem": " ".join(str(message) for each in form.errors.values() for message in each)}
    method, limit, region = (form.cleaned_data[name] for name in ("method", "limit", "region"))
    shown |= {"method": method, "region": region, "why": urlencode({"query": image.pk} | _part(region))}
    try:
        query = query_by_stored(image, method, region)
        soon = bool(query.missing) and timezone.now() - image.created_at < SOON
        return shown | {"result": search(query, method=method, limit=limit), "soon": soon}
    except SearchError as error:
        return shown | {"problem": localized(error.message)}
    except (ImageRejected, OSError) as error:
        return shown | {"problem": str(error)}


def _part(region: Region | None) -> dict[str, str]:
    return {"region": str(region)} if region else {}


@register.inclusion_tag("search/_part.html", takes_context=True)
def part(context: RequestContext, box: str, address: str, target: str) -> dict[str, Any]:
    """The form that searches by a part of the picture ``box``; results are at ``address``, in ``target`` there."""
    given = {name: context.get(name) for name in ("region", "method")}
    return given | {"box": box, "address": address, "target": target, "parts": PARTS}


@register.inclusion_tag("search/_results.html")
def results(result: Result, why: str = "", words: bool = False) -> dict[str, Any]:
    """The pictures of a result; those in which no space sees much of a likeness come apart.

    ``why``: parameters that name the query to the page that explains a result; ``words``: the query was a text.
    """
    found = answers(result)
    alike = [answer for answer in found if _likeness(answer) >= HARDLY]
    others = [answer for answer in found if answer not in alike]
    shown = {"alike": alike, "others": others, "skipped": unanswered(result.skipped)}
    return shown | {"result": result, "why": why, "words": words}


def _likeness(answer: Answer) -> float:
    return max(found.score for found in answer.hit.methods.values())


@register.filter
def degrees(turn: float) -> int:
    """A turn as people say it: whole degrees, 0 for all around."""
    return round(turn) % 360


@register.filter
def percent(score: float) -> str:
    """A share as people say it; 100% only where nothing differs."""
    return f"{int(100 * score)}%"


@register.filter
def space_label(space: str) -> str:
    """A space's name for people."""
    return gettext(label_of(space))


@register.filter
def grounds(hit: Hit) -> list[tuple[str, Evidence]]:
    """The spaces that see a likeness, and what they see; the surest first."""
    seen = [(space_label(space), found) for space, found in hit.methods.items() if found.score > 0]
    return sorted(seen, key=lambda one: -one[1].score)
