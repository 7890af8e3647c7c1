"""What can go wrong in a search; each message names the cure."""


class SearchError(Exception):
    """Base of this family. ``str(error)`` is fit to be shown to a visitor."""


class UnknownSpace(SearchError):
    """No such space, method or index name."""


class BadQuery(SearchError):
    """The query cannot be asked: empty, region outside the picture, limit out of range."""


class SpaceUnavailable(SearchError):
    """This space cannot answer now; the engine reports it in ``skipped``."""


class SnapshotDamaged(SearchError):
    """A snapshot folder is missing, incomplete, of another format, or fails its checksum."""


class JobClosed(Exception):
    """A background job was cancelled, or ended by another process: whoever works on it stops and cleans up."""
