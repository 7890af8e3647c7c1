"""Forms of the gallery's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gallery.models import MAX_ID, Album
from gallery.web.paging import NEWEST, SORTS

MAX_TAGS = 50
MAX_SELECTED = 5_000  # ids of a form; more are ignored


class TagsField(forms.CharField):
    """Tags between commas -> list of names; gallery/services/ cleans them."""

    def clean(self, value: Any) -> list[str]:
        names = [name.strip() for name in super().clean(value).split(",") if name.strip()]
        if len(names) > MAX_TAGS:
            raise forms.ValidationError(_("Use at most %(most)s tags.") % {"most": MAX_TAGS})
        return names


class FilesInput(forms.ClearableFileInput):
    """A field in which several files can be chosen."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One file or many -> list of uploads. Each is decoded later, so that a bad one does not refuse the others."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[bytes]]:
        clean_file = super().clean
        return [clean_file(file, initial) for file in data or [None]]


class GalleryForm(forms.Form):
    """Which pictures to show."""

    q = forms.CharField(required=False, max_length=200)
    tag = forms.CharField(required=False, max_length=50)
    page = forms.CharField(required=False, max_length=2_000)
    sort = forms.ChoiceField(required=False, choices=[(name, sort.label) for name, sort in SORTS.items()])
    select = forms.BooleanField(required=False)

    def clean_sort(self) -> str:
        """The default for a form without it: a required field would refuse the plain address."""
        return self.cleaned_data["sort"] or NEWEST


class AlbumForm(forms.ModelForm[Album]):
    """What an album is called."""

    class Meta:
        model = Album
        fields = ("title",)


class SelectionForm(forms.Form):
    """Selected pictures, and what to do with them."""

    ids = forms.TypedMultipleChoiceField(
        coerce=int, error_messages={"required": gettext_lazy("Select pictures first.")}
    )
    tags = TagsField(required=False, max_length=2_000)
    album = forms.CharField(required=False, max_length=200)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        # The choices are what was sent: whether there are such pictures is seen where they are used.
        field: Any = self.fields["ids"]
        sent = data.getlist("ids")[:MAX_SELECTED]
        field.choices = [(pk, pk) for pk in sent if pk.isdecimal() and int(pk) < MAX_ID]


class AddForm(forms.Form):
    """Pictures to add. Title and tags are given to each of them."""

    pictures = FilesField(allow_empty_file=True)
    title = forms.CharField(required=False, max_length=200)
    tags = TagsField(required=False, max_length=2_000)


class ImageForm(forms.Form):
    """What can be changed in a picture."""

    title = forms.CharField(label=gettext_lazy("Title"), required=False, max_length=200)
    tags = TagsField(
        label=gettext_lazy("Tags"),
        required=False,
        max_length=2_000,
        help_text=gettext_lazy("Separate tags with commas: beach, holiday"),
    )


class PicturesForm(forms.Form):
    """Pictures of the trash that were selected, as ids between commas."""

    image = forms.RegexField(r"^\d{1,18}(,\d{1,18})*$")

    def clean_image(self) -> list[int]:
        return [int(pk) for pk in self.cleaned_data["image"].split(",")]
