"""What is refused before anything of it is read."""

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

from gallery.admission import Slots
from gallery.exceptions import Busy
from gallery.web.api_views import FORM_TEXT
from gallery.web.errors import body
from imagesite.languages import language_for
from imagesite.readiness import readyz
from imagesite.views import healthz

PROBES = {"/healthz": healthz, "/readyz": readyz}
PICTURES = 10  # as large as one may be; a form may send several
PIECE = 1 << 16  # bytes
READ_AWAY = 2.0  # seconds
SILENT = 20.0  # seconds


class ProbeMiddleware:
    """Answers probes, which ask a process by its address and without HTTPS, before host and scheme are looked at."""

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
        if int(request.META.get("CONTENT_LENGTH") or 0) <= PICTURES * (settings.MAX_IMAGE_BYTES + FORM_TEXT):
            return self.get_response(request)
        message = _("The request is too large. Send fewer or smaller pictures at once.")
        return _refusal(request, "too_large", message, 413)


class AdmissionMiddleware:
    """429 for what decodes pictures beyond UPLOADS_AT_ONCE of this process; its other threads answer whoever looks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.slots = Slots()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.content_type != "multipart/form-data" and "region" not in request.GET:
            return self.get_response(request)
        try:
            with self.slots.taken(request.path_info, settings.UPLOADS_AT_ONCE), _patience(request, SILENT):
                return self.get_response(request)
        except Busy as busy:
            _read_away(request)
            return _try_later(request, busy)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """The same for a page whose picture found no room; the API has its own way, see gallery/web/errors.py."""
        return _try_later(request, exception) if isinstance(exception, Busy) else None


def _read_away(request: HttpRequest) -> None:
    """Read the body, for a while: a connection that is closed while it comes may lose the answer."""
    until = monotonic() + READ_AWAY
    with suppress(OSError), _patience(request, READ_AWAY):
        while monotonic() < until and request.read(PIECE):
            pass


@contextmanager
def _patience(request: HttpRequest, seconds: float) -> Iterator[None]:
    """Meanwhile reading fails after so long without a byte: who sends no more must not hold a thread for ever."""
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
    """In the visitor's language, though LanguageMiddleware comes later; no session is read for it."""
    with translation.override(language_for(request)):
        text = str(message)
    if request.path.startswith("/api/"):
        return JsonResponse(body(code, text), status=status)
    return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
