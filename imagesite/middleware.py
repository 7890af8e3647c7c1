"""Requests that are answered or refused before anything of them is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gallery.exceptions import Busy
from gallery.web.admission import UploadSlots
from gallery.web.api_views import FORM_TEXT
from gallery.web.errors import body
from imagesite.languages import language_for
from imagesite.readiness import readyz
from imagesite.views import healthz

PROBES = {"/healthz": healthz, "/readyz": readyz}
MAX_PICTURES = 10  # of the largest size in one request: a form may send several
CHUNK = 1 << 16  # bytes
DRAIN_SECONDS = 2.0
READ_TIMEOUT = 20.0  # seconds without a byte


class ProbeMiddleware:
    """Answers probes before host and scheme are checked: they ask a process by its address and without HTTPS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        return probe(request) if probe else self.get_response(request)


class RequestSizeMiddleware:
    """413 for a request that no form sends. CSRF protection reads the whole body, so this stands before it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if int(request.META.get("CONTENT_LENGTH") or 0) <= MAX_PICTURES * (settings.MAX_IMAGE_BYTES + FORM_TEXT):
            return self.get_response(request)
        message = _("The request is too large. Send fewer or smaller pictures at once.")
        return _refusal(request, "too_large", message, 413)


class AdmissionMiddleware:
    """429 for uploads beyond UPLOADS_AT_ONCE of this process, so that some of its threads always answer readers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.slots = UploadSlots()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.content_type != "multipart/form-data" and "region" not in request.GET:
            return self.get_response(request)
        try:
            slot = self.slots.occupied(request.path_info, settings.UPLOADS_AT_ONCE)
            with slot, _read_timeout(request, READ_TIMEOUT):
                return self.get_response(request)
        except Busy as busy:
            _drain(request)
            return _try_later(request, busy)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """The same for a page that got no memory for its picture. The API has gallery/web/errors.py for that."""
        return _try_later(request, exception) if isinstance(exception, Busy) else None


def _drain(request: HttpRequest) -> None:
    """Read the body for a while: a connection that is closed while the body is being sent may lose the answer."""
    deadline = monotonic() + DRAIN_SECONDS
    with suppress(OSError), _read_timeout(request, DRAIN_SECONDS):
        while monotonic() < deadline and request.read(CHUNK):
            pass


@contextmanager
def _read_timeout(request: HttpRequest, seconds: float) -> Iterator[None]:
    """Inside, reading fails after so long without a byte: a silent client must not hold a thread for ever."""
    socket = request.META.get("gunicorn.socket")
    if socket:
        socket.settimeout(seconds)
    try:
        yield
    finally:
        if socket:
            socket.settimeout(None)


def _try_later(request: HttpRequest, busy: Busy) -> HttpResponse:
    response = _refusal(request, "busy", busy, 429)
    response["Retry-After"] = str(busy.retry_after)
    return response


def _refusal(request: HttpRequest, code: str, message: Promise | Exception, status: int) -> HttpResponse:
    """The answer in the visitor's language. LanguageMiddleware comes later, since it may read the session."""
    with translation.override(language_for(request)):
        text = str(message)
    if request.path.startswith("/api/"):
        return JsonResponse(body(code, text), status=status)
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
