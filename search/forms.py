"""What a search may be asked with; pages and API check by the same rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings

from gallery.decoding import decode
from gallery.fetching import fetch
from gallery.services import limits
from search.engine import ALL
from search.exceptions import BadQuery
from search.methods import METHODS
from search.types import Pixels

METHOD_CHOICES = [(ALL, "All together"), *((space, label) for space, (label, _) in METHODS.items())]
NO_METHOD = f"There is no method “%(value)s”. Choose one of: {', '.join(dict(METHOD_CHOICES))}."


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture; all numbers are shares of its width and height, 0..1."""

    x: float
    y: float
    width: float
    height: float

    @classmethod
    def parse(cls, text: str) -> Region:
        """From ``x,y,w,h``. Raises BadQuery."""
        try:
            x, y, width, height = (float(part) for part in text.split(","))
        except ValueError:
            raise BadQuery("A region is four numbers: x,y,w,h, each between 0 and 1.") from None
        inside = 0 <= x < 1 and 0 <= y < 1 and 0 < width <= 1 and 0 < height <= 1
        if not inside or x + width > 1.0001 or y + height > 1.0001:
            raise BadQuery("The region must lie inside the picture: x, y, w and h are shares of its size, 0 to 1.")
        return cls(x, y, width, height)

    def cut(self, pixels: Pixels) -> Pixels:
        """That part of the pixels, at least one pixel each way."""
        height, width = pixels.shape[:2]
        left, top = min(int(self.x * width), width - 1), min(int(self.y * height), height - 1)
        right = max(left + 1, round((self.x + self.width) * width))
        bottom = max(top + 1, round((self.y + self.height) * height))
        return pixels[top:bottom, left:right]


class SearchForm(forms.Form):
    """How to search: the parameters that every kind of search takes."""

    method = forms.ChoiceField(choices=METHOD_CHOICES, required=False, error_messages={"invalid_choice": NO_METHOD})
    limit = forms.IntegerField(min_value=1, required=False)

    def clean_method(self) -> str:
        return self.cleaned_data["method"] or ALL

    def clean_limit(self) -> int:
        limit = self.cleaned_data["limit"] or min(20, settings.MAX_RESULTS)
        if limit > settings.MAX_RESULTS:
            raise forms.ValidationError(f"At most {settings.MAX_RESULTS}.")
        return int(limit)


class PictureSearchForm(SearchForm):
    """Search by an uploaded picture or by a URL that shows one, or by a part of it."""

    file = forms.FileField(required=False)
    url = forms.URLField(required=False, assume_scheme="https", max_length=2_000)
    region = forms.CharField(required=False, max_length=100)

    def clean_region(self) -> Region | None:
        try:
            return Region.parse(self.cleaned_data["region"]) if self.cleaned_data["region"] else None
        except BadQuery as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors and bool(cleaned.get("file")) == bool(cleaned.get("url")):
            raise forms.ValidationError("Give one picture: either a file or a URL.")
        return cleaned

    def pixels(self) -> Pixels:
        """The query picture, or the part of it. Raises ImageRejected or FetchFailed."""
        upload, region = self.cleaned_data["file"], self.cleaned_data["region"]
        # One byte more than is allowed is enough to be refused: nothing larger is read into memory.
        data = upload.read(settings.MAX_IMAGE_BYTES + 1) if upload else fetch(self.cleaned_data["url"])
        pixels = decode(data, limits=limits()).pixels
        return region.cut(pixels) if region else pixels
