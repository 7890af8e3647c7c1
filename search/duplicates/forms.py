"""Forms of the pages where duplicates are reviewed."""

from __future__ import annotations

from django import forms

from gallery.models import MAX_ID
from search.duplicates.models import RELATIONS


class ReviewForm(forms.Form):
    """Which groups to show."""

    relation = forms.ChoiceField(choices=RELATIONS, required=False)
    page = forms.CharField(required=False, max_length=40)


class ChoiceForm(forms.Form):
    """The picture of a group to keep, or the ``only`` one that is no duplicate of the others."""

    image = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    only = forms.IntegerField(required=False, min_value=1, max_value=MAX_ID)
