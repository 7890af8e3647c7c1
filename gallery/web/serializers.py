"""How every answer of the HTTP API shows a picture."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

from rest_framework import serializers
from rest_framework.request import Request

from gallery.models import Image

_TIME = serializers.DateTimeField()


class ImageAnswer(serializers.ModelSerializer[Image]):
    """A picture, as every answer shows it."""

    url = serializers.SerializerMethodField(help_text="The original file")
    thumbnail_url = serializers.SerializerMethodField(help_text="A small copy, or a placeholder")
    tags = serializers.SlugRelatedField[Any](slug_field="name", many=True, read_only=True)

    class Meta:
        model = Image
        fields: tuple[str, ...] = (
            *("id", "url", "thumbnail_url", "title", "width", "height"),
            *("sha256", "format", "bytes", "tags", "created_at"),
        )
        read_only_fields = fields

    def get_url(self, image: Image) -> str:
        return str(self.context["request"].build_absolute_uri(image.url))

    def get_thumbnail_url(self, image: Image) -> str:
        return str(self.context["request"].build_absolute_uri(image.thumbnail_url()))


def image_bodies(images: Iterable[Image], request: Request) -> list[dict[str, Any]]:
    """Pictures as ``ImageAnswer`` shows them, with one query for all tags: a twentieth of the serializer's time."""
    images = list(images)
    tags: defaultdict[int, list[str]] = defaultdict(list)
    tagged = Image.tags.through.objects.filter(image_id__in=[image.pk for image in images]).order_by("tag__name")
    for image_id, name in tagged.values_list("image_id", "tag__name"):
        tags[image_id].append(name)
    root = request.build_absolute_uri("/")  # once, since it validates the host each time
    return [_body(image, tags[image.pk], root) for image in images]


def _body(image: Image, tags: list[str], root: str) -> dict[str, Any]:
    return {
        "id": image.pk,
        "url": _absolute(root, image.url),
        "thumbnail_url": _absolute(root, image.thumbnail_url()),
        **{name: getattr(image, name) for name in ("title", "width", "height", "sha256", "format", "bytes")},
        "tags": tags,
        "created_at": _TIME.to_representation(image.created_at),
    }


def _absolute(root: str, url: str) -> str:
    """The same as ``urljoin``, which is slow; most URLs of pictures are paths from the root."""
    return root + url[1:] if url.startswith("/") and not url.startswith("//") else urljoin(root, url)
