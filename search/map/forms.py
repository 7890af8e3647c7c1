"""Forms of the map's page."""

from __future__ import annotations

from typing import Any

from django import forms

from gallery.forms import TagsField
from search.map.selection import EXPORTS

MOST = 100_000  # pictures in a selection


class IdsField(forms.CharField):
    """Ids separated by commas -> list of numbers, each once, in their order."""

    def clean(self, value: Any) -> list[int]:
        parts = super().clean(value).split(",")
        if not all(part.strip().isdecimal() and len(part.strip()) < 19 for part in parts):
            raise forms.ValidationError("Ids are numbers between commas.")
        ids = list(dict.fromkeys(int(part) for part in parts))
        if len(ids) > MOST:
            raise forms.ValidationError(f"At most {MOST} pictures at once.")
        return ids


class SelectionForm(forms.Form):
    ids = IdsField()


class TagForm(SelectionForm):
    tags = TagsField(max_length=2_000)


class AlbumForm(SelectionForm):
    title = forms.CharField(max_length=200)


class ExportForm(SelectionForm):
    format = forms.ChoiceField(choices=[(name, name) for name in EXPORTS])


class MeanForm(SelectionForm):
    space = forms.CharField(max_length=40)


class MapForm(forms.Form):
    space = forms.CharField(required=False, max_length=40)
