"""The HTTP API of the spaces and of jobs."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gallery.web.errors import Refused, errors, listing
from search.exceptions import UnknownSpace
from search.jobs import reindexing, status
from search.models import Job, Snapshot


class SnapshotAnswer(serializers.ModelSerializer[Snapshot]):
    """The index on disk that processes load; what came after it is scanned exactly."""

    problem = serializers.CharField(read_only=True, help_text="Why it cannot be used; empty if it can")

    class Meta:
        model = Snapshot
        fields = ("sequence", "count", "bytes", "created_at", "problem")
        read_only_fields = fields


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
            job = reindexing.start_job(user=user, **wanted.validated_data)
        except UnknownSpace as error:
            raise Refused(str(error), code="unknown_space", fields={"spaces": [str(error)]}) from error
        return Response(JobAnswer(job, context={"request": request}).data, status=202)


class OneJob(APIView):
    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="jobs_retrieve", responses={200: JobAnswer, **errors(401, 403, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """How far a job is."""
        return Response(JobAnswer(get_object_or_404(Job, pk=pk), context={"request": request}).data)


class CancelJob(APIView):
    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="jobs_cancel", request=None, responses={200: JobAnswer, **errors(401, 403, 404, 409)})
    def post(self, request: Request, pk: int) -> Response:
        """Stop a job. Pictures that lack a feature get it all the same, and what is stored goes on answering."""
        job = get_object_or_404(Job, pk=pk)
        if not reindexing.cancel(job):
            raise Refused("This job has ended already.", code="job_ended", status=409)
        return Response(JobAnswer(job, context={"request": request}).data)
