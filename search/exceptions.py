"""What can go wrong in a search: a code for programs, and an English message for people that names the cure.

``MESSAGES`` has the text of every code, so that no layer that computes writes sentences; pages translate them.
"""

from __future__ import annotations

from search.types import Message
from search.types import gettext_noop as _

MESSAGES = {
    # queries
    "unknown_method": _("There is no method “%(name)s”. Choose one of: %(choices)s."),
    "unknown_index": _("There is no index “%(name)s”. Choose one of: %(choices)s."),
    "limit_out_of_range": _("limit must be between 1 and %(most)s."),
    "region_malformed": _("A region is four numbers: x,y,w,h, each between 0 and 1."),
    "region_outside": _("The region must lie inside the picture: x, y, w and h are fractions of its size, 0 to 1."),
    "method_without_words": _("“%(method)s” cannot search by words. Choose another method, or search by picture."),
    "no_text_model": _("No text model is installed, so only titles and tags are searched. Run manage.py fetch_models."),
    "no_keypoints": _("This picture is too small or has too little detail to recognise parts of it."),
    "nothing_extracted": _("None of these pictures has been processed yet."),
    "method_without_mean": _("This method cannot search by several pictures at once."),
    "method_without_map": _("“%(method)s” cannot be shown as a map. %(reason)s"),
    "only_neighbours": _("It compares pictures in pairs and gives them no positions."),
    # spaces that cannot answer
    "not_extracted": _("This picture is still being processed."),
    "result_not_extracted": _("The result is still being processed."),
    "method_failed": _("This method failed. The log has the details."),
    "storage_away": _("The snapshot storage is not responding: %(detail)s"),
    "milvus_away": _(
        "The vector database is not responding. New pictures are stored and will be found once it is back."
    ),
    "milvus_lost": _("The vector database has lost this index. It is being rebuilt from the stored data."),
    # encoders
    "encoder_missing": _("The model “%(name)s” is not installed. Run: manage.py fetch_models %(command)s"),
    "encoder_damaged": _("The model “%(name)s” is damaged (%(detail)s). Run: manage.py fetch_models %(command)s"),
    "encoder_not_made": "%(detail)s",  # commands alone say it, in English
    "encoder_without_words": _("The model “%(name)s” describes pictures only; it does not understand words."),
    # snapshots and indexes
    "index_busy": _("The index of %(space)s is being built now. Try again when it is done."),
    "no_earlier_snapshot": _("There is no earlier snapshot of %(space)s to go back to."),
    "snapshot_unused": _("Snapshot %(sequence)s is not used: %(detail)s."),
    "snapshot_damaged": _("Snapshot %(sequence)s is damaged: %(detail)s."),
    "searched_without": _("%(problem)s Searched without it."),
    "index_unreadable": _("An index file cannot be read. Rebuild the index: %(detail)s"),
    "index_format": _("The saved index is damaged or has another format or dimension. Rebuild the index."),
    "collection_gone": _("The Milvus collection %(name)s is gone. Rebuild the index."),
}


def message_of(code: str, **params: object) -> Message:
    """The message of a code, its text filled with ``params``."""
    return Message(code, MESSAGES[code], **params)


class SearchError(Exception):
    """Base of this family: a code of MESSAGES and what its text is filled with. ``message`` is fit for visitors."""

    def __init__(self, code: str, **params: object) -> None:
        self.message = message_of(code, **params)
        super().__init__(self.message)

    @property
    def code(self) -> str:
        return self.message.code


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
