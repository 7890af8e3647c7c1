"""Which language a page speaks.

Pages speak the visitor's language: the one chosen at the head of a page, else the one that the browser asks for.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

SAME_FOR_ALL = ("/api/", "/media/", "/static/", "/healthz", "/readyz", "/metrics")


def language_for(request: HttpRequest) -> str:
    """The code of the language in which a request is answered."""
    if request.path.startswith(SAME_FOR_ALL):
        return settings.LANGUAGE_CODE
    return translation.get_language_from_request(request)


class LanguageMiddleware(LocaleMiddleware):
    """Like Django's, but what programs read is English for everybody, and a cache may share it."""

    def process_request(self, request: HttpRequest) -> None:
        translation.activate(language_for(request))
        request.LANGUAGE_CODE = translation.get_language()

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not response.get("Content-Type", "").startswith("text/html") or request.path.startswith(SAME_FOR_ALL):
            return response
        return super().process_response(request, response)
