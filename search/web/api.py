"""The HTTP API of searching."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django import forms
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from gallery.exceptions import GalleryError
from gallery.models import Image
from gallery.web.api_views import UploadView
from gallery.web.errors import Refused, errors, refused
from gallery.web.serializers import image_bodies
from search.explain.explain import explain
from search.query_uploads import services
from search.query_uploads.models import QueryUpload
from search.retrieval import engine, queries
from search.types import Hit, Result
from search.web.forms import PictureSearchForm, StoredSearchForm, TextSearchForm, WhyForm
from search.web.results import answers
from search.web.serializers import (
    KeptAnswer,
    PictureQuery,
    SearchAnswer,
    StoredQuery,
    TextQuery,
    WhyAnswer,
    WhyQuery,
)
from search.web.throttles import FetchThrottle, may_keep


class Similar(APIView):
    throttle_scope = "search"

    @extend_schema(
        operation_id="images_similar",
        parameters=[StoredQuery],
        responses={200: SearchAnswer, **errors(400, 401, 404, 429)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """More like this, or like a part of it: the stored picture itself is not among the results."""
        image = get_object_or_404(Image, pk=pk)
        how = _checked(StoredSearchForm(request.query_params))
        with _readable():
            query = queries.query_by_stored(image, how["method"], how["region"])
        return _answer(request, engine.search(query, method=how["method"], limit=how["limit"]))


class Explain(APIView):
    throttle_scope = "search"

    @extend_schema(
        operation_id="images_explain",
        parameters=[WhyQuery],
        responses={200: WhyAnswer, **errors(400, 401, 404, 429)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """Why this picture is found by a query."""
        image = get_object_or_404(Image, pk=pk)
        form = WhyForm(request.query_params)
        _checked(form)
        with _readable():
            searched = form.explained()
        if searched is None:
            raise exceptions.NotFound("The picture that was searched by is not here any more.")
        why = explain(searched, image)
        answer = {"image": image, "took_ms": why.took_ms, "methods": why.by_space, "skipped": why.skipped}
        return Response(WhyAnswer(answer, context={"request": request}).data)


class ByPicture(UploadView):
    needs = {"POST": ""}
    throttle_scope = "search"
    throttle_classes = (ScopedRateThrottle, FetchThrottle)
    parser_classes: Sequence[type[BaseParser]] = (MultiPartParser, FormParser)

    @extend_schema(
        operation_id="search_image",
        request={"multipart/form-data": PictureQuery},
        responses={200: SearchAnswer, **errors(400, 401, 413, 415, 429)},
    )
    def post(self, request: Request) -> Response:
        """Search by a picture that need not be here: an uploaded file, or a URL that shows one."""
        sent: Any = request.data
        form = PictureSearchForm(sent, request.FILES)
        how = _checked(form)
        try:
            pixels = form.pixels()
        except GalleryError as error:
            raise refused(error, "file" if how["file"] else "url") from error
        region = how["region"]
        query = queries.query_by_pixels(region.cut(pixels) if region else pixels, how["method"])
        result = engine.search(query, method=how["method"], limit=how["limit"])
        kept = services.store(pixels, None if region else query) if may_keep(request) else None
        return _answer(request, result, kept)


class OneSearch(APIView):
    """A search by a picture that was uploaded before."""

    needs = {"DELETE": ""}
    throttle_scope = "search"

    @extend_schema(
        operation_id="search_kept",
        parameters=[StoredQuery],
        responses={200: SearchAnswer, **errors(400, 401, 404, 429)},
    )
    def get(self, request: Request, key: str) -> Response:
        """Ask again, by the whole picture or a part of it; 404 once its picture is deleted."""
        kept = _kept(key)
        how = _checked(StoredSearchForm(request.query_params))
        query = services.query_by_upload(kept, how["method"], how["region"])
        return _answer(request, engine.search(query, method=how["method"], limit=how["limit"]), kept)

    @extend_schema(operation_id="search_forget", responses={204: None, **errors(401, 404, 429)})
    def delete(self, request: Request, key: str) -> Response:
        """Delete the picture now."""
        services.delete(_kept(key))
        return Response(status=204)


class ByText(APIView):
    throttle_scope = "search"

    @extend_schema(
        operation_id="search_text",
        parameters=[TextQuery],
        responses={200: SearchAnswer, **errors(400, 401, 429)},
    )
    def get(self, request: Request) -> Response:
        """Search by words."""
        how = _checked(TextSearchForm(request.query_params))
        return _answer(request, queries.by_words(how["q"], how["method"], how["limit"]))


def _checked(form: forms.Form) -> dict[str, Any]:
    """The cleaned data of a form. Raises ValidationError."""
    if not form.is_valid():
        raise exceptions.ValidationError({name: [str(text) for text in texts] for name, texts in form.errors.items()})
    return form.cleaned_data


@contextmanager
def _readable() -> Iterator[None]:
    """Stored files may be damaged or gone."""
    try:
        yield
    except (GalleryError, OSError) as error:
        raise Refused("The file of this picture cannot be read.", code="unreadable") from error


def _kept(key: str) -> QueryUpload:
    if kept := services.find(key):
        return kept
    raise exceptions.NotFound("This search is not kept any more.")


def _answer(request: Request, result: Result, kept: QueryUpload | None = None) -> Response:
    """A result as ``SearchAnswer`` would show it, in a tenth of its time; ``kept`` is where it can be asked again."""
    found = answers(result)
    images = image_bodies([one.image for one in found], request)
    shown: dict[str, Any] = {"method": result.method, "took_ms": result.took_ms, "skipped": result.skipped}
    shown["results"] = [_found(image, one.hit) for image, one in zip(images, found, strict=True)]
    if kept:
        shown["search"] = KeptAnswer(kept, context={"request": request}).data
    return Response(shown)


def _found(image: dict[str, Any], hit: Hit) -> dict[str, Any]:
    methods = {space: {"rank": seen.rank, "distance": seen.distance} for space, seen in hit.methods.items()}
    return {"image": image, "score": hit.score, "distance": hit.distance, "methods": methods}
