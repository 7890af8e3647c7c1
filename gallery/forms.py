"""What visitors may send to the gallery's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

MAX_TAGS = 50


class TagsField(forms.CharField):
    """Tags between commas -> list of names; gallery/services.py cleans them."""

    def clean(self, value: Any) -> list[str]:
        names = [name.strip() for name in super().clean(value).split(",") if name.strip()]
        if len(names) > MAX_TAGS:
            raise forms.ValidationError(f"At most {MAX_TAGS} tags.")
        return names


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or many -> list of uploads. What they hold is judged one by one, later."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        clean_one = super().clean
        return [clean_one(one, initial) for one in data or [None]]


class GalleryForm(forms.Form):
    """Which pictures to show."""

    q = forms.CharField(required=False, max_length=200)
    tag = forms.CharField(required=False, max_length=50)
    page = forms.CharField(required=False, max_length=40)


class AddForm(forms.Form):
    """Pictures to add. Title and tags are given to each of them."""

    pictures = FilesField(allow_empty_file=True)
    title = forms.CharField(required=False, max_length=200)
    tags = TagsField(required=False, max_length=2_000)


class ImageForm(forms.Form):
    """What can be changed in a picture."""

    title = forms.CharField(required=False, max_length=200)
    tags = TagsField(required=False, max_length=2_000, help_text="Between commas: beach, holiday")
