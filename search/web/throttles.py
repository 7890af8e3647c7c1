"""How often a visitor may make this site download or keep something; pages and API count together."""

from __future__ import annotations

from typing import Any

from rest_framework.throttling import UserRateThrottle


class FetchThrottle(UserRateThrottle):
    """Counts only requests that name a URL; takes Django's requests as well as the API's."""

    scope = "fetch"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return super().get_cache_key(request, view) if request.POST.get("url") else None


class KeepThrottle(UserRateThrottle):
    """Counts query pictures that are kept; a search beyond the rate is answered all the same, without an address."""

    scope = "keep"


def may_keep(request: Any) -> bool:
    """Whether another query picture of this visitor may be kept; counts it."""
    view: Any = None  # its scope is here
    return KeepThrottle().allow_request(request, view)
