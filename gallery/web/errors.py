"""What the whole HTTP API shares: one body for errors, one for lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as Forbidden
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from drf_spectacular.utils import inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gallery.exceptions import Busy, GalleryError, ImageRejected, StorageUnavailable

NO_DATABASE = "The database does not answer. Try again in a moment."
RETRY_AFTER = 5  # seconds, while a server does not answer


class Refused(exceptions.APIException):
    """An error with a stable code, a message for people, and what is wrong with which field."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 400,
        fields: Mapping[str, Sequence[str]] | None = None,
        wait: int | None = None,
    ) -> None:
        super().__init__(message, code)
        self.status_code = status
        self.fields = fields or {}
        self.wait = wait  # seconds, which REST framework sends as Retry-After


def refused(error: GalleryError, field: str) -> Refused:
    """The API's answer to a picture that is not taken, or cannot be fetched."""
    code = error.code if isinstance(error, ImageRejected) else "fetch_failed"
    return Refused(str(error), code=code, fields={field: [str(error)]})


class ErrorAnswer(serializers.Serializer[Any]):
    """Every error."""

    error = inline_serializer(
        "Error",
        {
            "code": serializers.CharField(help_text="For programs; stable"),
            "message": serializers.CharField(help_text="For people: what to do about it"),
            "fields": serializers.DictField(child=serializers.ListField(child=serializers.CharField())),
        },
    )


def errors(*statuses: int) -> dict[int, type[ErrorAnswer]]:
    """The part of ``extend_schema(responses=...)`` that lists the errors of a call."""
    return dict.fromkeys(statuses, ErrorAnswer)


def error_body(error: Exception, context: dict[str, Any]) -> Response | None:
    """The exception handler of the API: one body for all errors. Bugs are left to Django, which logs them."""
    from rest_framework.views import exception_handler  # here, since that module imports what settings name

    known = _as_api_error(error)
    response = exception_handler(known, context)
    if response is not None and isinstance(known, exceptions.APIException):
        response.data = _body(known)
    return response


def body(code: str, message: str, fields: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """The body of every error."""
    return {"error": {"code": code, "message": message, "fields": dict(fields or {})}}


def listing(request: Request, results: Any, next_page: str = "") -> dict[str, Any]:
    """The body of every list; ``next_page`` is the ``page`` parameter of what follows, "" at the end."""
    parameters = request.query_params.copy()
    parameters["page"] = next_page
    following = request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}")
    return {"results": results, "next": following if next_page else None}


def _as_api_error(error: Exception) -> Exception:
    match error:
        case Busy():
            return Refused(str(error), code="busy", status=429, wait=error.retry_after)
        case Http404():
            return exceptions.NotFound()
        case Forbidden():
            return exceptions.PermissionDenied()
        case RequestDataTooBig():  # a SuspiciousOperation, which would be 400
            return Refused("The form's text is too large.", code="too_large", status=413)
        case OperationalError() | InterfaceError():
            return Refused(NO_DATABASE, code="unavailable", status=503, wait=RETRY_AFTER)
        case StorageUnavailable():
            return Refused(str(error), code="unavailable", status=503, wait=RETRY_AFTER)
        case RecursionError():  # of the JSON parser
            return exceptions.ParseError("The request is nested too deeply.")
        case SuspiciousOperation() | BadRequest() | MultiPartParserError() | UnreadablePostError():
            return exceptions.ParseError(f"The request cannot be read: {error}")
    return error


def _body(error: exceptions.APIException) -> dict[str, Any]:
    detail: Any = error.detail
    if isinstance(detail, exceptions.ErrorDetail):
        return body(detail.code or error.default_code, str(detail), getattr(error, "fields", None))
    by_field = detail if isinstance(detail, dict) else {"": detail}
    fields = {name: _texts(error_detail) for name, error_detail in by_field.items()}
    general = [text for name in ("", "__all__", "non_field_errors") for text in fields.pop(name, [])]
    by_name = [f"{name}: {' '.join(texts)}" for name, texts in fields.items()]
    return body(error.default_code, " ".join(general + by_name), fields)


def _texts(detail: Any) -> list[str]:
    """The texts of an error detail, however deep it is nested."""
    if isinstance(detail, dict):
        detail = list(detail.values())
    return [text for inner in detail for text in _texts(inner)] if isinstance(detail, list) else [str(detail)]
