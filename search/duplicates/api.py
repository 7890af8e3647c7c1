"""The HTTP API of duplicates; for staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.paginator import InvalidPage
from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gallery.models import MAX_ID
from gallery.web.errors import Refused, errors, listing
from gallery.web.permissions import StaffDecides
from gallery.web.serializers import ImageAnswer
from search.duplicates import detection, review, services
from search.duplicates.exceptions import ReviewError
from search.duplicates.models import RELATIONS, Decision, Group
from search.jobs.queue import send


class MemberAnswer(serializers.Serializer[Any]):
    image = ImageAnswer()
    suggested = serializers.BooleanField(help_text="The one to keep")
    relation = serializers.CharField(help_text="What it is, compared with the suggested one")
    same = serializers.ListField(child=serializers.IntegerField(), help_text="What goes if this one is kept")


class GroupAnswer(serializers.Serializer[Any]):
    """Pictures that are the same as one of them."""

    id = serializers.IntegerField(source="group.pk")
    relation = serializers.ChoiceField(choices=RELATIONS, source="group.relation", help_text="Of the least alike")
    size = serializers.IntegerField(source="group.size")
    keeper = serializers.IntegerField(source="group.keeper_id", help_text="Id of the picture to keep")
    reasons = serializers.ListField(child=serializers.CharField(), help_text="Why that one")
    images = MemberAnswer(many=True, source="cards")


class GroupList(serializers.Serializer[Any]):
    results = GroupAnswer(many=True)
    next = serializers.URLField(allow_null=True, help_text="Address of what follows")


class GroupQuery(serializers.Serializer[Any]):
    page = serializers.CharField(required=False, allow_blank=True, help_text="What “next” has")
    relation = serializers.ChoiceField(choices=RELATIONS, required=False)


class Chosen(serializers.Serializer[Any]):
    image = serializers.IntegerField(min_value=1, max_value=MAX_ID, help_text="Id of a picture of the group")


class MaybeChosen(serializers.Serializer[Any]):
    image = serializers.IntegerField(min_value=1, max_value=MAX_ID, required=False, help_text="Left out: each of them")


class DecisionAnswer(serializers.ModelSerializer[Decision]):
    class Meta:
        model = Decision
        fields = ("id", "kind", "kept", "trashed", "undone_at")
        read_only_fields = fields


class Looking(serializers.Serializer[Any]):
    again = serializers.BooleanField(required=False, help_text="At every picture, not only at new ones")


class StatusAnswer(serializers.Serializer[Any]):
    """How far looking is."""

    waiting = serializers.IntegerField(help_text="Pictures still to be compared")
    looked_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField(allow_blank=True)


class Groups(APIView):
    permission_classes = (StaffDecides,)

    @extend_schema(
        operation_id="duplicates_list",
        parameters=[GroupQuery],
        responses={200: GroupList, **errors(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        """Groups of duplicates, newest first, a page at a time: follow “next”."""
        query = GroupQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        try:
            page = review.page_of(query.validated_data.get("relation", ""), query.validated_data.get("page", ""))
        except InvalidPage as error:
            raise exceptions.NotFound(str(error)) from error
        shown = GroupAnswer(page.groups, many=True, context={"request": request})
        return Response(listing(request, shown.data, page.next))


class OneGroup(APIView):
    permission_classes = (StaffDecides,)

    @extend_schema(operation_id="duplicates_retrieve", responses={200: GroupAnswer, **errors(401, 403, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """A group of duplicates."""
        group = Group.objects.filter(pk=pk).first()
        if group is None:
            raise Http404
        return Response(GroupAnswer(review.views_of([group])[0], context={"request": request}).data)


class Keep(APIView):
    permission_classes = (StaffDecides,)

    @extend_schema(
        operation_id="duplicates_keep",
        request=Chosen,
        responses={200: DecisionAnswer, **errors(400, 401, 403, 409, 415)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Keep this picture: it gets the others' tags and albums, and they go into the trash for 30 days."""
        sent = Chosen(data=request.data)
        sent.is_valid(raise_exception=True)
        return _decided(
            lambda user: services.keep(group_id=pk, image_id=sent.validated_data["image"], user=user), request
        )


class Apart(APIView):
    permission_classes = (StaffDecides,)

    @extend_schema(
        operation_id="duplicates_apart",
        request=MaybeChosen,
        responses={200: DecisionAnswer, **errors(400, 401, 403, 409, 415)},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say that this picture, or each of the group, is no duplicate of the others."""
        sent = MaybeChosen(data=request.data)
        sent.is_valid(raise_exception=True)
        image = sent.validated_data.get("image")
        return _decided(lambda user: services.set_apart(group_id=pk, image_id=image, user=user), request)


class Undo(APIView):
    permission_classes = (StaffDecides,)

    @extend_schema(
        operation_id="duplicates_undo", request=None, responses={200: DecisionAnswer, **errors(401, 403, 409)}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Make it as if it had not been decided; within 30 days."""
        return _decided(lambda _: services.undo(decision_id=pk), request)


class Find(APIView):
    permission_classes = (StaffDecides,)
    needs = ()

    @extend_schema(operation_id="duplicates_status", responses={200: StatusAnswer, **errors(401, 403)})
    def get(self, request: Request) -> Response:
        """How far looking for duplicates is."""
        return Response(StatusAnswer(review.status()).data)

    @extend_schema(
        operation_id="duplicates_find",
        request=Looking,
        responses={202: OpenApiResponse(StatusAnswer, description="Started"), **errors(400, 401, 403, 415)},
    )
    def post(self, request: Request) -> Response:
        """Look for duplicates among new pictures now, or among all."""
        sent = Looking(data=request.data)
        sent.is_valid(raise_exception=True)
        if sent.validated_data.get("again"):
            detection.restart()
        send("search.duplicates.tasks.find")
        return Response(StatusAnswer(review.status()).data, status=202)


def _decided(decide: Callable[[Any], Decision], request: Request) -> Response:
    try:
        return Response(DecisionAnswer(decide(request.user)).data)
    except ReviewError as error:
        raise Refused(str(error), code=error.code, status=409) from error
