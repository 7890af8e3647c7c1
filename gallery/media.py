"""Serves stored pictures from this machine's disk. Other storages serve their own."""

from __future__ import annotations

import re

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from gallery.models import BROWSER_FORMATS, FORMATS, THUMBNAIL_SIZES, Image

# The type comes from the name that gallery/models.py gave, never from the bytes.
TYPES = dict(FORMATS.values())
INLINE = {extension for extension, _ in BROWSER_FORMATS.values()}

_HASH = r"([0-9a-f]{2})/([0-9a-f]{2})/(?P<sha256>\1\2[0-9a-f]{60})"
_NAMES = (
    re.compile(rf"originals/{_HASH}\.(?P<extension>{'|'.join(sorted(TYPES))})"),
    re.compile(rf"thumbnails/{_HASH}-({'|'.join(map(str, THUMBNAIL_SIZES))})\.(?P<extension>webp)"),
)


@require_safe
def serve(request: HttpRequest, name: str) -> HttpResponseBase:
    """A picture's original or thumbnail; 404 for any other name.

    Pictures in the trash are shown only to those who may empty it.
    """
    match = next(filter(None, (pattern.fullmatch(name) for pattern in _NAMES)), None)
    if match is None or not isinstance(default_storage, FileSystemStorage):
        raise Http404
    trashed = Image.everything.filter(sha256=match["sha256"], trashed_at__isnull=False).exists()
    if trashed and not request.user.has_perm("gallery.delete_image"):
        raise Http404
    # Names are made of the content's hash, so that a name is as good as a checksum.
    etag = f'"{name.rpartition("/")[2]}"'
    response = _unchanged(request, name, etag) or _file(name, match["extension"])
    audience = "public" if settings.PUBLIC_READING else "private"
    response["Cache-Control"] = "no-store" if trashed else f"{audience}, max-age=31536000, immutable"
    response["ETag"] = etag
    # Visitors upload these bytes: whatever a browser takes them for, nothing in them runs.
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _unchanged(request: HttpRequest, name: str, etag: str) -> HttpResponse | None:
    """304 if the client has the file: a name stands for its bytes for ever. Not for a file that was deleted since."""
    if "If-None-Match" not in request.headers or not default_storage.exists(name):
        return None
    answer = get_conditional_response(request, etag=etag)
    return answer if isinstance(answer, HttpResponseNotModified) else None


def _file(name: str, extension: str) -> FileResponse:
    try:
        file = default_storage.open(name)
    except FileNotFoundError:
        raise Http404 from None
    return FileResponse(file, as_attachment=extension not in INLINE, content_type=TYPES[extension])
