"""The search pages: read what is asked, call, render. Every search has an address of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gallery.exceptions import FetchFailed, ImageRejected
from gallery.web.i18n import localized
from gallery.web.paging import named
from gallery.web.requests import wants_fragment
from search.exceptions import SearchError
from search.methods import ALL
from search.query_uploads import services
from search.query_uploads.models import QueryUpload
from search.retrieval import queries
from search.retrieval.engine import search
from search.retrieval.queries import query_by_pixels
from search.types import Pixels
from search.web.forms import PictureSearchForm, StoredSearchForm, TextSearchForm
from search.web.throttles import FetchThrottle, may_keep

PAGE = "search/search.html"
EXAMPLES = ("a dog", "a boat on the water", "flowers", "people in a street", "a plate of food", "snow")
NAMED = 12  # pictures with the words in title or tags that stand above those that mean them


@require_http_methods(["GET", "HEAD", "POST"])
def search_page(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _by_picture(request)
    if request.GET.get("q", "").strip():
        return _by_words(request)
    return _page(request)


def _page(request: HttpRequest, status: int = 200, **context: Any) -> HttpResponse:
    kept_for = timedelta(seconds=settings.QUERY_KEPT)
    keeping = timesince(timezone.now() - kept_for) if kept_for else ""
    common = {"form": PictureSearchForm(), "examples": EXAMPLES, "keeping": keeping}
    return render(request, PAGE, common | context, status=status)


def _by_words(request: HttpRequest) -> HttpResponse:
    asked = TextSearchForm(request.GET)
    if not asked.is_valid():
        return _page(request, 400, asked=asked, q=request.GET["q"].strip())
    q, method, limit = (asked.cleaned_data[name] for name in ("q", "method", "limit"))
    called = named(q, NAMED + 1)
    result = queries.by_words(q, method, limit)
    titled: dict[str, Any] = {"named": called[:NAMED], "more_named": len(called) > NAMED}
    return _page(request, asked=asked, q=q, result=result, why=_parameters(q=q), **titled)


def _by_picture(request: HttpRequest) -> HttpResponse:
    form = PictureSearchForm(request.POST, request.FILES)
    if not FetchThrottle().allow_request(cast(Any, request), cast(Any, None)):
        form.add_error("url", _("Too many addresses in a short time. Wait a minute, or upload the picture."))
    pixels = _pixels(form) if form.is_valid() else None
    if pixels is None:
        return _page(request, 400, form=form)
    method, region = form.cleaned_data["method"], form.cleaned_data["region"]
    query = query_by_pixels(region.cut(pixels) if region else pixels, ALL)
    allowed = not settings.QUERY_KEPT or may_keep(request)
    if allowed and (kept := services.store(pixels, None if region else query)):
        asked = _parameters(method="" if method == ALL else method, region=region)
        return redirect(f"{kept.get_absolute_url()}{'?' if asked else ''}{asked}")
    result = search(query, method=method, limit=form.cleaned_data["limit"])
    response = _page(request, form=form, result=result, crowded=not allowed)
    # The chosen file stays in its field, so that it can be compared in another way.
    response["HX-Retarget"] = response["HX-Reselect"] = "#results"
    return response


def _pixels(form: PictureSearchForm) -> Pixels | None:
    """The query picture; or None, and the form says beside which field why not."""
    try:
        return form.pixels()
    except (ImageRejected, FetchFailed) as error:
        form.add_error("file" if form.cleaned_data["file"] else "url", str(error))
        return None


@require_safe
@never_cache
def kept(request: HttpRequest, key: str) -> HttpResponse:
    """A search by a kept picture, or by a part of it."""
    found = _found(key)
    asked = StoredSearchForm(request.GET)
    context: dict[str, Any] = {"kept": found, "asked": asked}
    if not asked.is_valid():
        return _page(request, 400, **context)
    method, limit, region = (asked.cleaned_data[name] for name in ("method", "limit", "region"))
    context |= {"method": method, "region": region, "why": _parameters(search=key, region=region)}
    try:
        context["result"] = search(services.query_by_upload(found, method, region), method=method, limit=limit)
    except SearchError as error:
        context["problem"] = localized(error.message)
    response = _page(request, **context)
    if wants_fragment(request):
        response["HX-Push-Url"] = request.get_full_path()
    return response


@require_safe
@never_cache
def kept_picture(request: HttpRequest, key: str) -> HttpResponseBase:
    """The kept copy, for whoever has the search's address."""
    try:
        file = services.storage().open(_found(key).file_name)
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(file, content_type="image/jpeg")
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


@require_POST
def forget(request: HttpRequest, key: str) -> HttpResponse:
    services.delete(_found(key))
    messages.success(request, _("The picture you searched with has been deleted. This search can no longer be opened."))
    return redirect("search:search")


def _parameters(**given: object) -> str:
    """Parameters of an address, less the empty ones."""
    return urlencode({name: str(value) for name, value in given.items() if value})


def _found(key: str) -> QueryUpload:
    if found := services.find(key):
        return found
    raise Http404("This search is not kept any more.")
