"""What may be sent to the desk and to the trash."""

from __future__ import annotations

from django import forms

from search.duplicates.models import RELATIONS

MOST = 2**62  # no id is larger


class DeskForm(forms.Form):
    """Which groups to show."""

    relation = forms.ChoiceField(choices=RELATIONS, required=False)
    page = forms.CharField(required=False, max_length=40)


class ChoiceForm(forms.Form):
    """The picture of a group to keep, or the ``only`` one that is no duplicate of the others."""

    image = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    only = forms.IntegerField(required=False, min_value=1, max_value=MOST)


class PicturesForm(forms.Form):
    """Some pictures of the trash, by their ids."""

    image = forms.RegexField(r"^\d{1,18}(,\d{1,18})*$")

    def clean_image(self) -> list[int]:
        return [int(key) for key in self.cleaned_data["image"].split(",")]
