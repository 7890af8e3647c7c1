"""The HTTP API of the gallery."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import InvalidPage
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from gallery import services
from gallery.exceptions import ImageRejected
from gallery.models import MAX_ID, TAG_LENGTH, Image
from gallery.web import paging
from gallery.web.api_views import UploadView
from gallery.web.errors import errors, listing, refused
from gallery.web.serializers import ImageAnswer, image_bodies


class AddedAnswer(ImageAnswer):
    """A picture that was sent, and whether it is new here."""

    created = serializers.BooleanField(read_only=True, help_text="False if the same bytes were here already")

    class Meta(ImageAnswer.Meta):
        fields = (*ImageAnswer.Meta.fields, "created")
        read_only_fields = fields


class ImageList(serializers.Serializer[Any]):
    results = ImageAnswer(many=True)
    next = serializers.URLField(allow_null=True, help_text="Address of what follows")


class ListQuery(serializers.Serializer[Any]):
    """The query string of a list of pictures."""

    page = serializers.CharField(required=False, allow_blank=True, help_text="A number, or what “next” has")
    tag = serializers.CharField(required=False, allow_blank=True)
    q = serializers.CharField(required=False, allow_blank=True, help_text="Words of the title")
    album = serializers.IntegerField(required=False, min_value=1, max_value=MAX_ID, help_text="Id of an album")
    sort = serializers.ChoiceField(list(paging.SORTS), required=False, help_text="newest, if not given")


class TagsField(serializers.ListField):
    """Names of tags: a list, or a form's repeated field; each entry may hold several, separated by commas."""

    child = serializers.CharField(max_length=200, allow_blank=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=100, **kwargs)

    def to_internal_value(self, data: Any) -> list[str]:
        names = [name.strip() for entry in super().to_internal_value(data) for name in entry.split(",")]
        if any(len(name) > TAG_LENGTH for name in names):
            raise exceptions.ValidationError("A tag has at most 50 characters.")
        return names


class NewImage(serializers.Serializer[Any]):
    """A picture to add."""

    file = serializers.FileField(max_length=None)
    title = serializers.CharField(required=False, max_length=200, allow_blank=True, help_text="Else the file's name")
    tags = TagsField(required=False, help_text="Repeated, or separated by commas")


class ImageChanges(serializers.Serializer[Any]):
    """What to change of a picture; what is not named stays as it is."""

    title = serializers.CharField(required=False, max_length=200, allow_blank=True)
    tags = TagsField(required=False, help_text="All tags that the picture is to have")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(self.initial_data) - set(self.fields):
            # A program that misspells a field must not believe that it was changed.
            raise exceptions.ValidationError(dict.fromkeys(sorted(unknown), "This cannot be changed."))
        return attrs


class Images(UploadView):
    """The gallery."""

    needs = {"POST": "gallery.add_image"}
    throttle_scope = "upload"

    def get_parsers(self) -> list[Any]:
        return [MultiPartParser()]  # JSON carries no files

    def get_throttles(self) -> list[BaseThrottle]:
        # The rate is of uploads; reading the list is not limited.
        return super().get_throttles() if self.request.method == "POST" else []

    @extend_schema(
        operation_id="images_list",
        parameters=[ListQuery],
        responses={200: ImageList, **errors(400, 401, 404)},
    )
    def get(self, request: Request) -> Response:
        """Pictures, newest first, a page at a time: follow “next”."""
        query = ListQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        filters: dict[str, Any] = dict(query.validated_data)
        start, sort = filters.pop("page", ""), filters.pop("sort", paging.NEWEST)
        try:
            page = paging.page_of(paging.images(**filters), start, sort=sort)
        except InvalidPage as error:
            raise exceptions.NotFound(str(error)) from error
        return Response(listing(request, image_bodies(page.images, request), page.next))

    @extend_schema(
        operation_id="images_create",
        request={"multipart/form-data": NewImage},
        responses={
            201: AddedAnswer,
            200: OpenApiResponse(AddedAnswer, description="These bytes are here already, as this picture"),
            **errors(400, 401, 403, 413, 415, 429),
        },
    )
    def post(self, request: Request) -> Response:
        """Add a picture."""
        sent = NewImage(data=request.data)
        sent.is_valid(raise_exception=True)
        fields: dict[str, Any] = dict(sent.validated_data)
        upload: UploadedFile[bytes] = fields.pop("file")
        try:
            added = services.add_image(data=upload.read(), file_name=upload.name or "", **fields)
        except ImageRejected as error:
            raise refused(error, "file") from error
        shown = ImageAnswer(added.image, context={"request": request}).data
        return Response({**shown, "created": added.created}, status=201 if added.created else 200)


class OneImage(APIView):
    """One picture."""

    needs = {"PATCH": "gallery.change_image", "DELETE": "gallery.delete_image"}

    @extend_schema(operation_id="images_retrieve", responses={200: ImageAnswer, **errors(401, 404)})
    def get(self, request: Request, pk: int) -> Response:
        """A picture."""
        return Response(ImageAnswer(get_object_or_404(Image, pk=pk), context={"request": request}).data)

    @extend_schema(
        operation_id="images_update",
        request=ImageChanges,
        responses={200: ImageAnswer, **errors(400, 401, 403, 404, 415)},
    )
    def patch(self, request: Request, pk: int) -> Response:
        """Change a picture's title or tags: everything that is named, or nothing if a part is wrong."""
        image = get_object_or_404(Image, pk=pk)
        changes = ImageChanges(data=request.data)
        changes.is_valid(raise_exception=True)
        services.update_image(image=image, **changes.validated_data)
        return Response(ImageAnswer(image, context={"request": request}).data)

    @extend_schema(operation_id="images_delete", responses={204: None, **errors(401, 403, 404)})
    def delete(self, request: Request, pk: int) -> Response:
        """Delete a picture, its files and all that was computed from it."""
        services.delete_images(ids=[get_object_or_404(Image, pk=pk).pk])
        return Response(status=204)
