"""What is refused before anything of it is read."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from imagesite.api import body
from imagesite.api_views import FORM_TEXT

PICTURES = 10  # as large as one may be; a form may send several


class RequestSizeMiddleware:
    """413 for a request that no form sends. CSRF protection reads the whole body, so this stands before it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if int(request.META.get("CONTENT_LENGTH") or 0) <= PICTURES * (settings.MAX_IMAGE_BYTES + FORM_TEXT):
            return self.get_response(request)
        message = "The request is too large. Send fewer or smaller pictures at once."
        if request.path.startswith("/api/"):
            return JsonResponse(body("too_large", message), status=413)
        return HttpResponse(message, status=413, content_type="text/plain")
