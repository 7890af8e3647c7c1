"""The page that says which method finds what."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from search.methods import ALL, METHODS, method_class
from search.web import quality_report

RESULTS = Path("benchmarks") / "results" / "quality.json"


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    quality = quality_report.read(settings.BASE_DIR / RESULTS, [*METHODS, ALL])
    return render(
        request, "search/help.html", {"quality": quality, "methods": [_described(space) for space in METHODS]}
    )


def _described(space: str) -> tuple[str, str, str]:
    """A method's label, what it finds and what it does not, in the active language."""
    method = method_class(space)
    return _(method.label), _(method.summary), _(method.limits)
