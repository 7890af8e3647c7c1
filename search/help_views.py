"""The page that tells which way of searching finds what."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from search import measured
from search.engine import ALL
from search.methods import METHODS

RESULTS = Path("benchmarks") / "results" / "quality.md"


@require_safe
def help_page(request: HttpRequest) -> HttpResponse:
    found = measured.edits(settings.BASE_DIR / RESULTS, [*METHODS, ALL])
    return render(request, "search/help.html", {"edits": found, "methods": METHODS})
