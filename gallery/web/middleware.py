"""Closes the site to the public where the owner wants that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class PublicReadingMiddleware(LoginRequiredMiddleware):
    """Without PUBLIC_READING every page needs a login, but for those marked ``login_not_required``.

    The API has its own rule: gallery/web/permissions.py.
    """

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        if settings.PUBLIC_READING:
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)
