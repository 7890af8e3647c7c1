"""What can go wrong with a picture; each message names the cure."""


class GalleryError(Exception):
    """Base of this family. ``str(error)`` is fit to be shown to a visitor."""


class ImageRejected(GalleryError):
    """The bytes are not a picture that this site takes. ``code`` is stable, ``str`` is for people."""

    def __init__(self, message: str, code: str = "invalid_image") -> None:
        super().__init__(message)
        self.code = code


class FetchFailed(GalleryError):
    """A picture could not be fetched from a URL (refused address, too large, too slow, not found)."""


class StorageAway(GalleryError):
    """The storage of files does not answer; no picture is to blame, and it works again when the storage is back."""
