"""Views that the APIs of the apps share."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from gallery.web.errors import Refused

FORM_TEXT = 1_000_000  # bytes that a form may have besides its picture


class UploadView(APIView):
    """A view that takes a picture; a body that is too large is refused before it is read."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # REST framework reads the whole body as soon as a view looks at its data.
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.MAX_IMAGE_BYTES + FORM_TEXT:
            most = f"{settings.MAX_IMAGE_BYTES / 1_000_000:g} MB"
            text = f"The picture is too large. Send one of at most {most}."
            raise Refused(text, code="too_large", status=413, fields={"file": [text]})
        super().initial(request, *args, **kwargs)


class NoSuchAddress(APIView):
    """404 for what no other address under /api/ answers; without its last slash, a redirect that preserves the body."""

    # With a bad token or none, it is still 404 and not 401.
    authentication_classes = ()
    permission_classes = ()
    schema = None

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.path.endswith("/"):
            target = request.get_full_path(force_append_slash=True)
            return HttpResponsePermanentRedirect(target, preserve_request=True)
        return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound("There is no such address. All addresses are listed at /api/docs/.")
