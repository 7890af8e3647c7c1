"""An exported collection -> pictures of this site, with the features that came along.

What is here already keeps its title and tags. Safe to run again: what is done is passed over, in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from search.collection import (
    Album,
    Image,
    ImageRejected,
    announce_images,
    import_album,
    import_image,
    put_in_album,
    restore_images,
)
from search.duplicates.services import set_contents_apart
from search.features import backlog, store
from search.features.backlog import TargetVersion
from search.features.store import NewFeature
from search.features.versions import states_of
from search.methods import METHODS
from search.transfer import collection
from search.transfer.arrays import OFFSETS, PICTURES, ROWS, Reader
from search.transfer.collection import Moved
from search.transfer.exceptions import Damaged, MovingError
from search.transfer.places import Place
from search.transfer.records import LONGEST, Record, lines, opened
from search.types import Progress

AT_ONCE = 64  # pictures whose features are stored in one transaction


@dataclass(slots=True)
class Arrivals:
    """What has come so far."""

    say: Callable[[str], None]
    added: int = 0
    known: int = 0
    damaged: int = 0
    features: int = 0
    recomputed: int = 0  # pictures that workers have something left to do for

    def leave_out(self, what: str, why: object) -> None:
        self.damaged += 1
        self.say(f"{what} is left out: {why}.")

    def spoilt(self, space: str, count: int) -> None:
        self.damaged += count
        self.say(f"{space}: {count:,} damaged features, or more, are left out. Workers compute them.")


@dataclass(frozen=True, slots=True)
class Rows:
    """Features that came along, of a version that this site wants."""

    target: TargetVersion
    reader: Reader


def take(place: Place, arrivals: Arrivals, progress: Progress) -> None:
    """Take in all that is whole. Raises MovingError if it is no export at all, or OSError if there is no room."""
    head = _head(place)
    with ExitStack() as stack:
        sets = list(_sets(place, head, arrivals))
        for rows in sets:
            stack.callback(rows.reader.close)
        albums: dict[int, Album] = _albums(place, arrivals)
        stored: dict[int, Moved] = {}
        for moved in progress(_pictures(place, arrivals), int(head["pictures"]), "pictures"):
            key = _picture(place, moved, arrivals)
            if key:
                stored[key] = moved
            if len(stored) >= AT_ONCE:
                _finish(stored, sets, albums, arrivals)
                stored = {}
        _finish(stored, sets, albums, arrivals)
        for rows in sets:
            if rows.reader.damaged:
                arrivals.spoilt(rows.target.space, rows.reader.damaged)
    _take_apart(place, arrivals)


def _head(place: Place) -> Record:
    """Raises MovingError."""
    try:
        head = opened(place.read(collection.HEAD, LONGEST))
    except Damaged as error:
        why = f"its {collection.HEAD} cannot be read ({error})"
        raise MovingError(f"{place.path} is no whole export: {why}. Nothing was changed.") from error
    if (head.get("format"), head.get("version")) != (collection.FORMAT, collection.VERSION):
        raise MovingError(f"{place.path} is no export that this program reads. Nothing was changed.")
    if not isinstance(head.get("pictures"), int) or not isinstance(head.get("features"), list):
        raise MovingError(f"{place.path}: {collection.HEAD} lacks pictures or features. Nothing was changed.")
    return head


def _sets(place: Place, head: Record, arrivals: Arrivals) -> Iterator[Rows]:
    """The features that this site can use; of others it is told that workers compute them anew."""
    wanted = {(target.space, target.method.version): target for target in backlog.target_versions(states_of(METHODS))}
    seeing = {space for space, _ in wanted}
    for about in head["features"]:
        space, version, folder = (str(about.get(name)) for name in ("space", "version", "folder"))
        target = wanted.pop((space, version), None)
        if space in METHODS and space not in seeing:
            cure = "Run fetch_models and the same command again"
            arrivals.say(f"{space}: its model is not here, so that its features are not taken. {cure}.")
        if not target or not collection.FOLDER.fullmatch(folder):
            continue
        try:
            yield Rows(target, _reader(place, folder, about, target))
        except (Damaged, OSError) as error:
            arrivals.leave_out(f"What came along for {space}", error)
    for space, version in wanted:
        arrivals.say(f"{space}: no features of {version} came along; workers compute them.")


def _reader(place: Place, folder: str, about: Mapping[str, Any], target: TargetVersion) -> Reader:
    """Raises Damaged or OSError."""
    names = [ROWS, PICTURES, *([OFFSETS] if OFFSETS in about.get("files", ()) else [])]
    with ExitStack() as stack:
        files = [stack.enter_context(place.open(f"{folder}/{name}")) for name in names]
        reader = Reader(files[0], files[2] if len(files) == 3 else None, files[1], target.method.stored)
        stack.pop_all()
    return reader


def _records(place: Place, name: str, arrivals: Arrivals) -> Iterator[Record]:
    """The records of a file that are whole."""
    try:
        with place.open(name) as file:
            for number, line in enumerate(lines(file), start=1):
                try:
                    yield opened(line)
                except Damaged as error:
                    arrivals.leave_out(f"Line {number} of {name}", error)
    except OSError as error:
        arrivals.leave_out(name, error)


def _pictures(place: Place, arrivals: Arrivals) -> Iterator[Moved]:
    for record in _records(place, collection.PICTURES, arrivals):
        try:
            yield collection.read(record)
        except Damaged as error:
            arrivals.leave_out(f"Picture {record.get('id')}", error)


def _albums(place: Place, arrivals: Arrivals) -> dict[int, Album]:
    found: dict[int, Album] = {}
    for record in _records(place, collection.ALBUMS, arrivals):
        try:
            key, title = int(record["id"]), str(record["title"])
            found[key] = import_album(title=title, created_at=collection.time_in(record))
        except (Damaged, KeyError, ValueError) as error:
            arrivals.leave_out(f"Album {record.get('id')}", error)
    return found


def _picture(place: Place, moved: Moved, arrivals: Arrivals) -> int | None:
    """The id here of a picture that is stored; None if it is not whole, or no picture."""
    if known := Image.everything.filter(sha256=moved.sha256).first():
        if known.trashed_at:
            restore_images(ids=[known.pk])
        arrivals.known += 1
        return known.pk
    try:
        data = place.read(moved.file, settings.MAX_IMAGE_BYTES)
        if hashlib.sha256(data).hexdigest() != moved.sha256:
            raise Damaged("its bytes are others than they were")
        added = import_image(data=data, title=moved.title, tags=moved.tags, created_at=moved.created_at)
    except (Damaged, ImageRejected) as error:
        arrivals.leave_out(f"Picture {moved.id} ({moved.title or moved.sha256[:12]})", error)
        return None
    arrivals.added += 1
    return added.image.pk


def _finish(stored: Mapping[int, Moved], sets: Iterable[Rows], albums: Mapping[int, Album], arrivals: Arrivals) -> None:
    """Give pictures their albums and features; workers hear of those that still lack something."""
    for old, album in albums.items():
        if keys := [key for key, moved in stored.items() if old in moved.albums]:
            put_in_album(album=album, ids=keys)
    for rows in sets:
        arrivals.features += _store(stored, rows)
    backlogged = backlog.lacking(states_of(METHODS), thumbnails=True)
    lacking = set(backlogged.filter(pk__in=stored).values_list("pk", flat=True))
    arrivals.recomputed += len(lacking)
    announce_images(ids=sorted(lacking))


def _store(stored: Mapping[int, Moved], rows: Rows) -> int:
    """Features for those that have none yet; returns how many. What does not fit is damaged."""
    target = rows.target
    has = set(target.fresh().filter(image_id__in=stored).values_list("image_id", flat=True))
    came = {key: rows.reader.take(moved.id, moved.sha256) for key, moved in stored.items()}
    spoilt = [key for key, data in came.items() if data is not None and not target.method.fits(data)]
    rows.reader.damaged += len(spoilt)
    new = [
        NewFeature(key, target.space, target.method.version, data)
        for key, data in came.items()
        if data is not None and key not in has and key not in spoilt
    ]
    store.store(new)
    return len(new)


def _take_apart(place: Place, arrivals: Arrivals) -> None:
    page: list[tuple[str, str]] = []
    for record in _records(place, collection.APART, arrivals):
        try:
            page.append((collection.hash_in(record, "one"), collection.hash_in(record, "two")))
        except Damaged as error:
            arrivals.leave_out("A pair that is no duplicate", error)
        if len(page) == AT_ONCE:
            set_contents_apart(contents=page)
            page = []
    set_contents_apart(contents=page)
