"""What pages read from a request besides its forms."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def wants_fragment(request: HttpRequest) -> bool:
    """Whether a script asks (htmx), which needs only the part of the page that changes."""
    return request.headers.get("HX-Request") == "true"


def previous_page(request: HttpRequest) -> str:
    """The page of this site that a form names as ``next``, or else the gallery."""
    # Anybody can make a form; it must not lead to another site.
    target = request.POST.get("next", "")
    return target if url_has_allowed_host_and_scheme(target, None) else reverse("gallery:index")
