"""What a search may be asked with; pages and API check by the same rules."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gallery.decoding import decode
from gallery.models import Image
from gallery.services import limits
from gallery.url_fetch import fetch
from gallery.web.i18n import localized
from search.exceptions import BadQuery
from search.explain.explain import ExplainedQuery, explained_image, explained_upload, explained_words
from search.methods import ALL, METHODS, label_of, method_class, words_space
from search.query_uploads.services import find
from search.retrieval.regions import Region
from search.types import Pixels

MAX_WORDS = 1_000  # characters


def method_choices() -> list[tuple[str, Any]]:
    """Every value of ``method``, with its label."""
    return [(method, gettext_lazy(label_of(method))) for method in (ALL, *METHODS)]


def _method_names() -> str:
    return ", ".join((ALL, *METHODS))


NO_METHOD = format_lazy(
    "{} {}.",
    gettext_lazy("There is no method “%(value)s”. Choose one of:"),
    lazy(_method_names, str)(),
)


class SearchForm(forms.Form):
    """How to search: the parameters that every kind of search takes."""

    method = forms.ChoiceField(choices=method_choices, required=False, error_messages={"invalid_choice": NO_METHOD})
    limit = forms.IntegerField(min_value=1, required=False)

    def clean_method(self) -> str:
        return self.cleaned_data["method"] or ALL

    def clean_limit(self) -> int:
        limit = self.cleaned_data["limit"] or min(20, settings.MAX_RESULTS)
        if limit > settings.MAX_RESULTS:
            raise forms.ValidationError(_("Use at most %(most)s.") % {"most": settings.MAX_RESULTS})
        return int(limit)


class TextSearchForm(SearchForm):
    """Search by words; only spaces that know words are asked."""

    q = forms.CharField(max_length=MAX_WORDS, error_messages={"required": gettext_lazy("Enter what to search for.")})

    def clean_method(self) -> str:
        method = self.cleaned_data["method"] or words_space() or ALL
        if method != ALL and not method_class(method).knows_words:
            text = _("“%(method)s” cannot search by words. Leave out “method”.")
            raise forms.ValidationError(text % {"method": _(label_of(method))})
        return str(method)


class RegionField(forms.CharField):
    """``x,y,w,h`` -> Region, or None for the whole picture."""

    def clean(self, value: Any) -> Region | None:
        text = super().clean(value)
        try:
            return Region.parse(text) if text else None
        except BadQuery as error:
            raise forms.ValidationError(localized(error.message), code=error.code) from error


class StoredSearchForm(SearchForm):
    """Search by a picture that is here, or by a part of it."""

    region = RegionField(required=False, max_length=100)


class PictureSearchForm(StoredSearchForm):
    """Search by an uploaded picture or by a URL that shows one, or by a part of it."""

    file = forms.FileField(required=False)
    url = forms.URLField(required=False, assume_scheme="https", max_length=2_000)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and bool(cleaned.get("file")) == bool(cleaned.get("url")):
            raise forms.ValidationError(_("Provide one picture: either a file or a URL."))
        return cleaned

    def pixels(self) -> Pixels:
        """The whole query picture. Raises ImageRejected or FetchFailed."""
        upload = self.cleaned_data["file"]
        # One byte more than is allowed is enough to be refused: nothing larger is read into memory.
        data = upload.read(settings.MAX_IMAGE_BYTES + 1) if upload else fetch(self.cleaned_data["url"])
        return decode(data, limits=limits()).pixels


class WhyForm(forms.Form):
    """Which query a result is explained for: a stored picture, a kept one, or words."""

    query = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
    search = forms.CharField(required=False, max_length=22)
    q = forms.CharField(required=False, max_length=MAX_WORDS)
    region = RegionField(required=False, max_length=100)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and sum(bool(cleaned.get(name)) for name in ("query", "search", "q")) != 1:
            said = _(
                "Provide exactly one query: a picture’s id as “query”, a search’s id as “search”, or words as “q”."
            )
            raise forms.ValidationError(said)
        return cleaned

    def explained(self) -> ExplainedQuery | None:
        """The query, or None if its picture is not here (any more). Raises GalleryError or OSError if unreadable."""
        region = self.cleaned_data["region"]
        if q := self.cleaned_data["q"]:
            return explained_words(q)
        if key := self.cleaned_data["search"]:
            kept = find(key)
            return explained_upload(kept, region) if kept else None
        image = Image.objects.filter(pk=self.cleaned_data["query"]).first()
        return explained_image(image, region) if image else None
