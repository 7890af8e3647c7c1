"""How often a visitor may make this site download something; pages and API count together."""

from __future__ import annotations

from typing import Any

from rest_framework.throttling import UserRateThrottle


class FetchThrottle(UserRateThrottle):
    """Counts only requests that name a URL; takes Django's requests as well as the API's."""

    scope = "fetch"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return super().get_cache_key(request, view) if request.POST.get("url") else None
