"""The page that says which method finds what."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from search.methods import ALL, METHODS
from search.web import quality_report

RESULTS = Path("benchmarks") / "results" / "quality.json"


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    quality = quality_report.read(settings.BASE_DIR / RESULTS, [*METHODS, ALL])
    return render(request, "search/help.html", {"quality": quality, "methods": METHODS})
