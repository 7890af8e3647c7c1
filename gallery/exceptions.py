"""What can go wrong with a picture: a code for programs, and a message for people that names the cure."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class GalleryError(Exception):
    """Base of this family. ``code`` is stable; ``str(error)`` is for people, in the language that is active then.

    ``text`` comes from gettext_lazy or ngettext_lazy, ``params`` are filled into it: %(name)s.
    """

    def __init__(self, code: str, text: str | Promise, **params: object) -> None:
        super().__init__(code, text)
        self.code, self.text, self.params = code, text, params

    def __str__(self) -> str:
        shown = {name: _shown(value) for name, value in self.params.items()}
        return str(self.text) % shown if shown else str(self.text)


class ImageRejected(GalleryError):
    """The bytes are not a picture that this site takes."""


class Busy(Exception):
    """Too much at once; no fault of the picture, so not of that family. ``retry_after`` is in seconds."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__(_("The site is receiving too many pictures right now. Try again in a few seconds."))


class FetchFailed(GalleryError):
    """A picture could not be fetched from a URL (refused address, too large, too slow, not found)."""


class SourceUnavailable(GalleryError):
    """Where pictures should be imported from cannot be reached, or not any more."""


class StorageUnavailable(GalleryError):
    """The storage of files does not answer; no fault of any picture, so that the same call may succeed later."""


def _shown(value: object) -> object:
    """Whole numbers in groups of three digits, as the language has them."""
    return number_format(value, force_grouping=True) if type(value) is int else value
