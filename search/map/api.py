"""The HTTP API of the map."""

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
from search.exceptions import SearchError
from search.map import positions, services
from search.map.models import Layout, Tile


class MapAnswer(serializers.ModelSerializer[Layout]):
    """A map that serves."""

    space_label = serializers.CharField(source="label", help_text="The space's name for people")
    labels = serializers.ListField(child=serializers.DictField(), help_text="Of clusters: text, x, y, count, level")
    places_url = serializers.SerializerMethodField(help_text="Ids and positions: search/map/codec.py has the format")
    overview_url = serializers.SerializerMethodField(help_text="A picture of the whole map")
    version = serializers.SerializerMethodField(help_text="Changes when the positions do")
    pages = serializers.SerializerMethodField(help_text="Level -> addresses of its tiles of thumbnails")

    class Meta:
        model = Layout
        fields: tuple[str, ...] = (
            *("id", "space", "space_label", "count", "created_at", "version"),
            *("places_url", "overview_url", "labels", "pages"),
        )
        read_only_fields = fields

    def get_places_url(self, layout: Layout) -> str:
        return reverse("atlas:places", args=[layout.pk])

    def get_overview_url(self, layout: Layout) -> str:
        return reverse("atlas:overview", args=[layout.pk])

    def get_version(self, layout: Layout) -> str:
        return positions.etag(layout)[1:-1]

    def get_pages(self, layout: Layout) -> dict[str, list[str]]:
        addresses: dict[str, list[str]] = {}
        for tile in Tile.objects.filter(layout=layout).order_by("level", "number"):
            address = reverse("atlas:page", args=[layout.pk, tile.level, tile.number, tile.digest])
            addresses.setdefault(str(tile.level), []).append(address)
        return addresses


class MapList(serializers.Serializer[Any]):
    results = MapAnswer(many=True)
    next = serializers.URLField(allow_null=True)


class LayoutAnswer(serializers.ModelSerializer[Layout]):
    """The job that makes a map, and how far it is."""

    url = serializers.SerializerMethodField(help_text="Where to ask how far it is")

    class Meta:
        model = Layout
        fields = ("id", "space", "state", "stage", "done", "total", "error", "created_at", "url")
        read_only_fields = fields

    def get_url(self, layout: Layout) -> str:
        return str(self.context["request"].build_absolute_uri(reverse("atlas-api:layout", args=[layout.pk])))


class LayoutWanted(serializers.Serializer[Any]):
    """What to lay out."""

    space = serializers.CharField(max_length=40)


class Maps(APIView):
    """The maps."""

    def get_permissions(self) -> Any:
        return [IsAdminUser()] if self.request.method == "POST" else super().get_permissions()

    @extend_schema(operation_id="map_list", responses={200: MapList, **errors(401)})
    def get(self, request: Request) -> Response:
        """The maps that there are, the preferred one first."""
        return Response(listing(request, MapAnswer(services.mapped(), many=True).data))

    @extend_schema(
        operation_id="map_create",
        request=LayoutWanted,
        responses={
            202: OpenApiResponse(LayoutAnswer, description="Started; ask its url how far it is"),
            **errors(400, 401, 403, 415),
        },
    )
    def post(self, request: Request) -> Response:
        """Lay a space out anew; the map that there is serves until then."""
        body = LayoutWanted(data=request.data)
        body.is_valid(raise_exception=True)
        user: Any = request.user
        try:
            layout = services.request_layout(user=user, **body.validated_data)
        except SearchError as error:
            raise Refused(str(error), code="no_map", fields={"space": [str(error)]}) from error
        return Response(LayoutAnswer(layout, context={"request": request}).data, status=202)


class OneLayout(APIView):
    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="map_retrieve", responses={200: LayoutAnswer, **errors(401, 403, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """How far a map is."""
        layout = get_object_or_404(Layout.objects.defer("positions"), pk=pk)
        return Response(LayoutAnswer(layout, context={"request": request}).data)


class CancelLayout(APIView):
    permission_classes = (IsAdminUser,)

    @extend_schema(operation_id="map_cancel", request=None, responses={200: LayoutAnswer, **errors(401, 403, 404, 409)})
    def post(self, request: Request, pk: int) -> Response:
        """Stop making a map; the map that there is goes on serving."""
        layout = get_object_or_404(Layout.objects.defer("positions"), pk=pk)
        if not services.cancel(layout):
            raise Refused("This map is not being made any more.", code="job_ended", status=409)
        return Response(LayoutAnswer(layout, context={"request": request}).data)
