"""What can go wrong with a picture; each message names the cure."""


class GalleryError(Exception):
    """Base of this family. ``str(error)`` is fit to be shown to a visitor."""


class ImageRejected(GalleryError):
    """The bytes are not a picture that this site takes. ``code`` is stable, ``str`` is for people."""

    def __init__(self, message: str, code: str = "invalid_image") -> None:
        super().__init__(message)
        self.code = code


class Busy(Exception):
    """Too much at once; no fault of the picture, so not of that family. ``retry_after`` is in seconds."""

    retry_after = 5

    def __init__(self) -> None:
        super().__init__("Too many pictures are coming in at once. Send this one again in a few seconds.")


class FetchFailed(GalleryError):
    """A picture could not be fetched from a URL (refused address, too large, too slow, not found)."""


class SourceUnavailable(GalleryError):
    """Where pictures should be imported from cannot be reached, or not any more."""


class StorageAway(GalleryError):
    """The storage of files does not answer; no picture is to blame, and it works again when the storage is back."""
