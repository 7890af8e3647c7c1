"""Who may do what, on the pages and in the API."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.cache import never_cache
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView

View = Callable[..., HttpResponseBase]

# To decide on duplicates, and over the API on the trash.
MAY_DECIDE = ("gallery.change_image", "gallery.delete_image")


class ReadOpenlyWriteWithPermission(BasePermission):
    """Anyone may read, or only logged-in users if PUBLIC_READING is off; writing needs a permission.

    A view's ``needs`` names the permission of each of its unsafe methods; "" makes the method a reading one.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        method = request.method or ""
        if method not in view.allowed_methods:
            return True  # so that the answer is 405
        needed = "" if method in SAFE_METHODS else getattr(view, "needs", {})[method]
        if needed:
            return bool(request.user.has_perm(needed))
        return bool(settings.PUBLIC_READING or request.user.is_authenticated)


class StaffDecides(BasePermission):
    """Staff may read; to write, they need the permissions that a view's ``needs`` names, by default MAY_DECIDE."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        needed = () if request.method in SAFE_METHODS else getattr(view, "needs", MAY_DECIDE)
        return bool(request.user.is_staff and request.user.has_perms(needed))


def staff_only(*permissions: str) -> Callable[[View], View]:
    """Decorates a page for staff who have these permissions; others are asked to log in, or get 403."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user: Any = request.user
            if not user.is_staff or not user.has_perms(permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        # Whoever logs out must not see the page again with the Back button.
        guarded: View = never_cache(login_required(checked))
        return guarded

    return decorate
