"""Views of the site as a whole: its health, and the errors that no view of an app handles."""

from __future__ import annotations

import sys

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from gallery.exceptions import StorageUnavailable
from gallery.web.errors import NO_DATABASE, RETRY_AFTER, body


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process reaches its database, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "no database"}, status=503)
    return JsonResponse({"status": "ok"})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """``handler400``: a request that is refused before a view gets it, such as one for an unknown host."""
    if _to_api(request):
        return JsonResponse(body("bad_request", "The request is malformed; check its host name."), status=400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """``handler500``: bugs, which Django has logged by now; and servers that do not answer, which is 503."""
    unavailable = isinstance(sys.exc_info()[1], (OperationalError, InterfaceError, StorageUnavailable))
    response = _api_error(unavailable) if _to_api(request) else defaults.server_error(request)
    if unavailable:
        response.status_code = 503
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def _api_error(unavailable: bool) -> HttpResponse:
    if unavailable:
        return JsonResponse(body("unavailable", NO_DATABASE))
    return JsonResponse(body("server_error", "This is a fault of the site; its log says more."), status=500)


def _to_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
