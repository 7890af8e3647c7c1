"""What sources give -> pictures of the gallery, one at a time, whatever else lies among them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum

from gallery import services
from gallery.exceptions import FetchFailed, ImageRejected
from gallery.imports import Entry, entries
from gallery.imports.fetch_history import FetchHistory

ANNOUNCED_AT_ONCE = 32  # new pictures, so that one task extracts the features of many
FETCHED_AT_ONCE = 8  # pictures; as many may be in memory


class Fate(Enum):
    """What became of an entry."""

    ADDED = "added"
    KNOWN = "there already"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an entry. ``code`` and ``reason`` say why it was rejected; the code is stable."""

    path: str
    fate: Fate
    code: str = ""
    reason: str = ""
    new_id: int | None = None


@dataclass(frozen=True, slots=True)
class Prefetched:
    """An entry whose ``read`` does not wait long; ``known`` if it was imported before and need not be read."""

    entry: Entry
    known: bool = False


def import_pictures(paths: Iterable[str], *, recursive: bool, tags: Sequence[str]) -> Iterator[Outcome]:
    """Add each file that is a picture. Raises OSError if the site cannot store any more, or SourceUnavailable."""
    unannounced: list[int] = []
    try:
        with closing(FetchHistory()) as history:
            for prefetched in _prefetch(entries(paths, recursive=recursive), history):
                outcome = _import(prefetched, tags, history)
                unannounced += [outcome.new_id] if outcome.new_id else []
                if len(unannounced) >= ANNOUNCED_AT_ONCE:
                    services.announce_images(ids=unannounced)
                    unannounced = []
                yield outcome
    finally:
        services.announce_images(ids=unannounced)


def _prefetch(listed: Iterable[Entry], history: FetchHistory) -> Iterator[Prefetched]:
    """The entries in their order, while threads fetch the next of those that come over the network."""
    waiting: deque[Prefetched] = deque()
    pool = ThreadPoolExecutor(FETCHED_AT_ONCE)
    try:
        for entry in listed:
            known = bool(entry.origin) and history.contains(entry.origin)
            remote = bool(entry.origin) and not known
            read = pool.submit(entry.read).result if remote else entry.read
            waiting.append(Prefetched(replace(entry, read=read), known))
            # A file of this machine is not read ahead, and comes after all that is waiting before it.
            while waiting and (not remote or len(waiting) >= FETCHED_AT_ONCE):
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)


def _import(prefetched: Prefetched, tags: Sequence[str], history: FetchHistory) -> Outcome:
    entry, path = prefetched.entry, prefetched.entry.path
    if entry.problem:
        return Outcome(path, Fate.REJECTED, entry.code, entry.problem)
    if prefetched.known:
        return Outcome(path, Fate.KNOWN)
    try:
        data = entry.read()
    except OSError as error:  # not those of ``_store``: a full disk ends the import
        return Outcome(path, Fate.REJECTED, "unreadable", error.strerror or str(error))
    except FetchFailed as error:
        return Outcome(path, Fate.REJECTED, "not_fetched", str(error))
    except ImageRejected as error:
        return Outcome(path, Fate.REJECTED, error.code, str(error))
    return _store(entry, data, tags, history)


def _store(entry: Entry, data: bytes, tags: Sequence[str], history: FetchHistory) -> Outcome:
    file_name, all_tags = entry.file_name or entry.path, [*tags, *entry.tags]
    try:
        added = services.add_image_unannounced(data=data, title=entry.title, file_name=file_name, tags=all_tags)
    except ImageRejected as error:
        return Outcome(entry.path, Fate.REJECTED, error.code, str(error))
    if entry.origin:
        history.add(entry.origin, added.image.sha256)
    if not added.created:
        return Outcome(entry.path, Fate.KNOWN)
    return Outcome(entry.path, Fate.ADDED, new_id=added.image.pk)
