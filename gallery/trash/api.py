"""The HTTP API of the trash, for staff. Its address is below /api/duplicates/, where it has always been."""

from __future__ import annotations

from typing import Any

from django.core.paginator import InvalidPage
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gallery import services
from gallery.models import MAX_ID
from gallery.trash.listing import trash_page
from gallery.web.errors import errors, listing
from gallery.web.permissions import MAY_DECIDE, StaffDecides
from gallery.web.serializers import ImageAnswer


class TrashAnswer(ImageAnswer):
    """A picture in the trash."""

    class Meta(ImageAnswer.Meta):
        fields = (*ImageAnswer.Meta.fields, "trashed_at")
        read_only_fields = fields


class TrashList(serializers.Serializer[Any]):
    results = TrashAnswer(many=True)
    next = serializers.URLField(allow_null=True)


class Several(serializers.Serializer[Any]):
    images = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=MAX_ID), max_length=1_000)


class Trash(APIView):
    permission_classes = (StaffDecides,)

    @extend_schema(operation_id="trash_list", responses={200: TrashList, **errors(401, 403, 404)})
    def get(self, request: Request) -> Response:
        """Pictures in the trash, the last one first."""
        # StaffDecides lets all staff read; but what is in the trash is hidden from those who may not empty it.
        if not request.user.has_perms(MAY_DECIDE):
            raise exceptions.PermissionDenied
        try:
            page = trash_page(request.query_params.get("page", ""))
        except InvalidPage as error:
            raise exceptions.NotFound(str(error)) from error
        shown = TrashAnswer(page.images, many=True, context={"request": request})
        return Response(listing(request, shown.data, page.next))


class Restore(APIView):
    permission_classes = (StaffDecides,)

    @extend_schema(
        operation_id="trash_restore", request=Several, responses={200: Several, **errors(400, 401, 403, 415)}
    )
    def post(self, request: Request) -> Response:
        """Bring pictures back from the trash; the answer names those that were in it."""
        sent = Several(data=request.data)
        sent.is_valid(raise_exception=True)
        return Response({"images": services.restore_images(ids=sent.validated_data["images"])})
