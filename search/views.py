"""The search page: read what is asked, call, render."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from gallery.exceptions import FetchFailed, ImageRejected
from gallery.views import wants_part
from search.engine import query_by_pixels, search
from search.exceptions import SearchError
from search.forms import PictureSearchForm
from search.throttles import FetchThrottle
from search.types import Result


@require_http_methods(["GET", "POST"])
@vary_on_headers("HX-Request")
def search_page(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return render(request, "search/search.html", {"form": PictureSearchForm()})
    form = PictureSearchForm(request.POST, request.FILES)
    if not FetchThrottle().allow_request(cast(Any, request), cast(Any, None)):
        form.add_error("url", "Too many addresses in a short time. Wait a minute, or upload the picture.")
    result = _result(form) if form.is_valid() else None
    template = "search/_answer.html" if wants_part(request) else "search/search.html"
    return render(request, template, {"form": form, "result": result}, status=200 if result else 400)


def _result(form: PictureSearchForm) -> Result | None:
    """What the search finds; or None, and the form says beside which field why not."""
    method, limit = form.cleaned_data["method"], form.cleaned_data["limit"]
    try:
        return search(query_by_pixels(form.pixels(), method), method=method, limit=limit)
    except (ImageRejected, FetchFailed, SearchError) as error:
        form.add_error("file" if form.cleaned_data["file"] else "url", str(error))
        return None
