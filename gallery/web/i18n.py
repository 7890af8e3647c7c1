"""Translation at the border: messages of code that knows no Django, and the texts of scripts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Protocol, runtime_checkable

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext, override
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

ENGLISH = "en"  # the language in which texts stand in the code


@runtime_checkable
class Translatable(Protocol):
    """An English text that knows what was filled into what, as search/types.Message does."""

    text: str
    params: Mapping[str, object]


def localized(message: object) -> str:
    """A Translatable in the active language; anything else as it is."""
    if not isinstance(message, Translatable):
        return str(message)
    text = gettext(message.text)
    return text % {name: localized(value) for name, value in message.params.items()} if message.params else text


@login_not_required
@require_safe
@gzip_page
def script_catalog(request: HttpRequest, language: str, digest: str) -> HttpResponse:
    """What scripts say, in a language: Django's catalogue. Its address changes with its content, so it is kept."""
    if language not in dict(settings.LANGUAGES):
        raise Http404
    script, current = _catalog(language)
    response = HttpResponse(script, content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "public, max-age=31536000, immutable" if digest == current else "no-cache"
    return response


def script_catalog_url(language: str) -> str:
    """Where the texts of scripts are in this language; "" for English, which the scripts speak by themselves."""
    return "" if language == ENGLISH else reverse("script-catalog", args=[language, _catalog(language)[1]])


@cache
def _catalog(language: str) -> tuple[bytes, str]:
    """The script and a hash of it."""
    # Of installed apps only this one, which has no texts of its own: Django's admin would bring its 100 along.
    with override(language):
        script = JavaScriptCatalog(packages=["gallery"]).get(HttpRequest()).content
    return script, sha256(script).hexdigest()[:12]
