"""What sources give -> pictures of the gallery, one at a time, whatever else lies there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from enum import Enum

from gallery import services
from gallery.exceptions import FetchFailed, ImageRejected
from gallery.imports import Found, find
from gallery.imports.seen import Seen

TOLD_AT_ONCE = 32  # new pictures, so that one message to the workers serves many
AHEAD = 8  # pictures that are fetched at once; as many may be in memory


class Fate(Enum):
    ADDED = "added"
    KNOWN = "there already"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file. ``code`` and ``reason`` tell why it was rejected; the code is stable."""

    path: str
    fate: Fate
    code: str = ""
    reason: str = ""
    new_id: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """What was found, to be read without waiting for long; ``known`` if there is no need to."""

    found: Found
    known: bool = False


def import_pictures(paths: Iterable[str], *, recursive: bool, tags: Sequence[str]) -> Iterator[Outcome]:
    """Add each file that is a picture. Raises OSError if the site cannot store any more, or SourceUnavailable."""
    untold: list[int] = []
    try:
        with closing(Seen()) as seen:
            for ready in _ahead(find(paths, recursive=recursive), seen):
                outcome = _import(ready, tags, seen)
                untold += [outcome.new_id] if outcome.new_id else []
                if len(untold) >= TOLD_AT_ONCE:
                    services.announce_images(ids=untold)
                    untold = []
                yield outcome
    finally:
        services.announce_images(ids=untold)


def _ahead(founds: Iterable[Found], seen: Seen) -> Iterator[Ready]:
    """The same in the same order, while threads fetch some that come next from afar."""
    waiting: deque[Ready] = deque()
    pool = ThreadPoolExecutor(AHEAD)
    try:
        for found in founds:
            known = bool(found.origin) and seen.is_here(found.origin)
            far = bool(found.origin) and not known
            read = pool.submit(found.read).result if far else found.read
            waiting.append(Ready(replace(found, read=read), known))
            while waiting and (not far or len(waiting) >= AHEAD):
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)


def _import(ready: Ready, tags: Sequence[str], seen: Seen) -> Outcome:
    found, path = ready.found, ready.found.path
    if found.problem:
        return Outcome(path, Fate.REJECTED, found.code, found.problem)
    if ready.known:
        return Outcome(path, Fate.KNOWN)
    try:
        data = found.read()
    except OSError as error:
        return Outcome(path, Fate.REJECTED, "unreadable", error.strerror or str(error))
    except FetchFailed as error:
        return Outcome(path, Fate.REJECTED, "not_fetched", str(error))
    except ImageRejected as error:
        return Outcome(path, Fate.REJECTED, error.code, str(error))
    try:
        added = services.add_image_unannounced(
            data=data, title=found.title, file_name=found.file_name or path, tags=[*tags, *found.tags]
        )
    except ImageRejected as error:
        return Outcome(path, Fate.REJECTED, error.code, str(error))
    if found.origin:
        seen.note(found.origin, added.image.sha256)
    return Outcome(path, Fate.ADDED, new_id=added.image.pk) if added.created else Outcome(path, Fate.KNOWN)
