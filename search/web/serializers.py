"""What the HTTP API of searching takes and answers, for its schema and its bodies."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from gallery.web.serializers import ImageAnswer
from search.explain.explain import Explanation
from search.kernels.dihedral import Dihedral
from search.query_uploads.models import QueryUpload
from search.web.forms import MAX_WORDS, method_choices

# How programs know the transforms of a query, since before they had codes.
FORM_NAMES = {
    Dihedral.IDENTITY: "as it is",
    Dihedral.FLIP_LEFT_RIGHT: "mirrored",
    Dihedral.FLIP_TOP_BOTTOM: "mirrored top to bottom",
    Dihedral.ROTATE_180: "turned by 180°",
    Dihedral.TRANSPOSE: "mirrored along its diagonal",
    Dihedral.ROTATE_90: "turned by 90° to the left",
    Dihedral.ROTATE_270: "turned by 90° to the right",
    Dihedral.TRANSVERSE: "mirrored along its other diagonal",
}


class MethodChoice(serializers.ChoiceField):
    """A space, or all; the choices are those of the table when the field is used."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=method_choices(), **kwargs)


class Limit(serializers.IntegerField):
    """How many results at most."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=settings.MAX_RESULTS, help_text="20 if not given", **kwargs)


class SearchQuery(serializers.Serializer[Any]):
    """How to search."""

    method = MethodChoice(required=False, help_text="One way of seeing, or all")
    limit = Limit(required=False)


class TextQuery(SearchQuery):
    """What to search for in words."""

    q = serializers.CharField(max_length=MAX_WORDS)


class StoredQuery(SearchQuery):
    """How to search by a picture that is here."""

    region = serializers.CharField(required=False, help_text="A part of the picture: x,y,w,h, each 0 to 1")


class PictureQuery(StoredQuery):
    """What to search for: a file, or a URL that shows a picture."""

    file = serializers.FileField(required=False)
    url = serializers.URLField(required=False)


class EvidenceAnswer(serializers.Serializer[Any]):
    rank = serializers.IntegerField(help_text="From 1")
    distance = serializers.FloatField(help_text="In the metric of this space")


class FoundAnswer(serializers.Serializer[Any]):
    image = ImageAnswer()
    score = serializers.FloatField(help_text="0 to 1, 1 for identical")
    distance = serializers.FloatField()
    methods = serializers.DictField(child=EvidenceAnswer(), help_text="What each space has to say")


class KeptAnswer(serializers.ModelSerializer[QueryUpload]):
    """Where a search by a picture can be asked again, until its picture is deleted."""

    url = serializers.SerializerMethodField(help_text="GET asks again, DELETE deletes the picture now")
    page_url = serializers.SerializerMethodField(help_text="The page of this search")
    picture_url = serializers.SerializerMethodField(help_text="The kept copy of the picture")

    class Meta:
        model = QueryUpload
        fields = ("id", "url", "page_url", "picture_url", "expires_at")
        read_only_fields = fields

    def get_url(self, kept: QueryUpload) -> str:
        return self._full(reverse("api:search-kept", args=[kept.pk]))

    def get_page_url(self, kept: QueryUpload) -> str:
        return self._full(kept.get_absolute_url())

    def get_picture_url(self, kept: QueryUpload) -> str:
        return self._full(kept.url)

    def _full(self, path: str) -> str:
        return str(self.context["request"].build_absolute_uri(path))


class SearchAnswer(serializers.Serializer[Any]):
    """What a search found, best first, and which spaces could not answer."""

    method = serializers.CharField()
    took_ms = serializers.FloatField()
    results = FoundAnswer(many=True)
    skipped = serializers.DictField(child=serializers.CharField(), help_text="Space -> why it did not answer")
    search = KeptAnswer(required=False, help_text="Of an uploaded picture, where such are kept")


class WhyQuery(serializers.Serializer[Any]):
    """The query that a picture was found by: one of the first three."""

    query = serializers.IntegerField(required=False, help_text="Id of a stored picture")
    search = serializers.CharField(required=False, help_text="Id of a search by an uploaded picture")
    q = serializers.CharField(required=False, help_text="Words")
    region = serializers.CharField(required=False, help_text="The part of the picture: x,y,w,h")


# The schema's name for it, which clients are generated from, is older.
@extend_schema_serializer(component_name="SaidAnswer")
class ExplanationAnswer(serializers.Serializer[Any]):
    """What one space says of a query and a picture."""

    distance = serializers.FloatField(help_text="In the metric of this space")
    score = serializers.FloatField(help_text="0 to 1")
    nearer = serializers.FloatField(allow_null=True, help_text="Share of a sample that is less like it")
    sampled = serializers.IntegerField(help_text="Pictures in that sample")
    shown = serializers.SerializerMethodField(help_text="bits, colours or outline and pairs: what can be drawn of it")

    def get_shown(self, explanation: Explanation) -> dict[str, Any]:
        """The method's evidence, with the names of transforms."""
        shown = dict(explanation.shown)
        return {**shown, "form": FORM_NAMES[Dihedral(shown["form"])]} if "form" in shown else shown


class WhyAnswer(serializers.Serializer[Any]):
    """Why a picture was found."""

    image = ImageAnswer()
    took_ms = serializers.FloatField()
    methods = serializers.DictField(child=ExplanationAnswer())
    skipped = serializers.DictField(child=serializers.CharField(), help_text="Space -> why it says nothing")
