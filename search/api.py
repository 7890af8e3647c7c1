"""The HTTP API of searching, of the spaces and of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.parsers import BaseParser, FormParser, MultiPartParser
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView

from gallery.api import ImageAnswer, refused
from gallery.exceptions import GalleryError
from gallery.models import Image
from imagesite.api import Refused, errors, listing
from imagesite.api_views import UploadView
from search import engine, jobs, status
from search.answers import answers
from search.exceptions import UnknownSpace
from search.forms import METHOD_CHOICES, PictureSearchForm, SearchForm
from search.models import Job, Snapshot
from search.snapshots import unfit
from search.throttles import FetchThrottle
from search.types import Result

NO_TEXT = {"semantic": "No text model is installed, so words cannot be searched for. Search by a picture."}


class Limit(serializers.IntegerField):
    """How many results at most."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=settings.MAX_RESULTS, help_text="20 if not given", **kwargs)


class SearchQuery(serializers.Serializer[Any]):
    """How to search."""

    method = serializers.ChoiceField(METHOD_CHOICES, required=False, help_text="One way of seeing, or all")
    limit = Limit(required=False)


class TextQuery(serializers.Serializer[Any]):
    """What to search for in words."""

    q = serializers.CharField(max_length=1_000)
    limit = Limit(required=False)


class PictureQuery(SearchQuery):
    """What to search for: a file, or a URL that shows a picture."""

    file = serializers.FileField(required=False)
    url = serializers.URLField(required=False)
    region = serializers.CharField(required=False, help_text="A part of the picture: x,y,w,h, each 0 to 1")


class EvidenceAnswer(serializers.Serializer[Any]):
    rank = serializers.IntegerField(help_text="From 1")
    distance = serializers.FloatField(help_text="In the metric of this space")


class FoundAnswer(serializers.Serializer[Any]):
    image = ImageAnswer()
    score = serializers.FloatField(help_text="0 to 1, 1 for identical")
    distance = serializers.FloatField()
    methods = serializers.DictField(child=EvidenceAnswer(), help_text="What each space has to say")


class SearchAnswer(serializers.Serializer[Any]):
    """What a search found, best first, and which spaces could not answer."""

    method = serializers.CharField()
    took_ms = serializers.FloatField()
    results = FoundAnswer(many=True)
    skipped = serializers.DictField(child=serializers.CharField(), help_text="Space -> why it did not answer")


class SnapshotAnswer(serializers.ModelSerializer[Snapshot]):
    """The index on disk that processes load; what came after it is scanned exactly."""

    problem = serializers.SerializerMethodField(help_text="Why it cannot be used; empty if it can")

    class Meta:
        model = Snapshot
        fields = ("sequence", "count", "bytes", "created_at", "problem")
        read_only_fields = fields

    def get_problem(self, snapshot: Snapshot) -> str:
        return unfit(snapshot)


class SpaceAnswer(serializers.Serializer[Any]):
    """One way of seeing, and how it stands."""

    space = serializers.CharField()
    method = serializers.CharField()
    version = serializers.CharField()
    index = serializers.CharField()
    count = serializers.IntegerField(help_text="Pictures that a search can find")
    pending = serializers.IntegerField(help_text="Pictures that still lack this space's feature")
    tail = serializers.IntegerField(help_text="Changes since the snapshot")
    snapshot = SnapshotAnswer(allow_null=True)
    bytes = serializers.IntegerField(help_text="Size of the stored features")


class SpaceList(serializers.Serializer[Any]):
    results = SpaceAnswer(many=True)
    next = serializers.URLField(allow_null=True)


class Reindexing(serializers.Serializer[Any]):
    """What to reindex."""

    spaces = serializers.ListField(
        child=serializers.CharField(), required=False, default=list, help_text="All if empty"
    )
    force = serializers.BooleanField(required=False, default=False, help_text="Extract again what is there already")


class JobAnswer(serializers.ModelSerializer[Job]):
    """Long work, and how far it got."""

    spaces = serializers.ListField(child=serializers.CharField())
    url = serializers.SerializerMethodField(help_text="Where to ask how it goes on")

    class Meta:
        model = Job
        fields = ("id", "state", "stage", "done", "total", "error", "spaces", "force", "created_at", "url")
        read_only_fields = fields

    def get_url(self, job: Job) -> str:
        return str(self.context["request"].build_absolute_uri(reverse("api:job", args=[job.pk])))


class Similar(APIView):
    throttle_scope = "search"

    @extend_schema(
        operation_id="images_similar",
        parameters=[SearchQuery],
        responses={200: SearchAnswer, **errors(400, 401, 404, 429)},
    )
    def get(self, request: Request, pk: int) -> Response:
        """More like this: the stored picture itself is not among the results."""
        image = get_object_or_404(Image, pk=pk)
        how = _checked(SearchForm(request.query_params))
        query = engine.query_by_image(image.pk, how["method"])
        return _answer(request, engine.search(query, method=how["method"], limit=how["limit"]))


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
        query = engine.query_by_pixels(pixels, how["method"])
        return _answer(request, engine.search(query, method=how["method"], limit=how["limit"]))


class ByText(APIView):
    throttle_scope = "search"

    @extend_schema(
        operation_id="search_text",
        parameters=[TextQuery],
        responses={200: SearchAnswer, **errors(400, 401, 429)},
    )
    def get(self, request: Request) -> Response:
        """Search by words."""
        TextQuery(data=request.query_params).is_valid(raise_exception=True)
        return _answer(request, Result("semantic", 0.0, skipped=NO_TEXT))


class Spaces(APIView):
    @extend_schema(operation_id="spaces_list", responses={200: SpaceList, **errors(401)})
    def get(self, request: Request) -> Response:
        """The ways of seeing, and how each stands."""
        return Response(listing(request, SpaceAnswer(status.statuses(), many=True).data))


class Reindex(APIView):
    permission_classes = (IsAdminUser,)

    @extend_schema(
        operation_id="reindex",
        request=Reindexing,
        responses={
            202: OpenApiResponse(JobAnswer, description="Started; ask its url how it goes on"),
            **errors(400, 401, 403, 415),
        },
    )
    def post(self, request: Request) -> Response:
        """Extract what is missing, or everything with “force”, then build the indexes."""
        wanted = Reindexing(data=request.data)
        wanted.is_valid(raise_exception=True)
        user: Any = request.user
        try:
            job = jobs.start_job(user=user, **wanted.validated_data)
        except UnknownSpace as error:
            raise Refused(str(error), code="unknown_space", fields={"spaces": [str(error)]}) from error
        return Response(JobAnswer(job, context={"request": request}).data, status=202)


class OneJob(APIView):
    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="jobs_retrieve", responses={200: JobAnswer, **errors(401, 403, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """How far a job is."""
        return Response(JobAnswer(get_object_or_404(Job, pk=pk), context={"request": request}).data)


def _checked(form: forms.Form) -> dict[str, Any]:
    """The cleaned data of a form. Raises ValidationError."""
    if not form.is_valid():
        raise exceptions.ValidationError({name: [str(text) for text in texts] for name, texts in form.errors.items()})
    return form.cleaned_data


def _answer(request: Request, result: Result) -> Response:
    """A result as JSON."""
    found = [
        {"image": one.image, "score": one.hit.score, "distance": one.hit.distance, "methods": one.hit.methods}
        for one in answers(result)
    ]
    shown = {"method": result.method, "took_ms": result.took_ms, "results": found, "skipped": result.skipped}
    return Response(SearchAnswer(shown, context={"request": request}).data)
