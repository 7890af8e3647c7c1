"""An exported collection -> pictures of this site, with the features that came along.

Pictures that exist here keep their titles and tags. Safe to run again: what was imported before is skipped.
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
from search.transfer import export_format
from search.transfer.exceptions import Damaged, TransferError
from search.transfer.export_format import ImageRecord
from search.transfer.feature_files import OFFSETS, PICTURES, ROWS, FeatureReader
from search.transfer.records import LONGEST, Record, decode, lines
from search.transfer.sources import Source
from search.types import Progress

AT_ONCE = 64  # pictures whose features are stored in one transaction


@dataclass(slots=True)
class Report:
    """What was imported so far, and what not; ``say`` gets a line for everything that is left out."""

    say: Callable[[str], None]
    added: int = 0
    known: int = 0
    damaged: int = 0
    features: int = 0
    recomputed: int = 0  # pictures that workers have something left to do for

    def leave_out(self, what: str, why: object) -> None:
        self.damaged += 1
        self.say(f"{what} is left out: {why}.")

    def leave_out_features(self, space: str, count: int) -> None:
        self.damaged += count
        self.say(f"{space}: {count:,} damaged features, or more, are left out. Workers compute them.")


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features that came along, of a version that this site uses."""

    target: TargetVersion
    reader: FeatureReader


def import_collection(source: Source, report: Report, progress: Progress) -> None:
    """Import everything that is intact. Raises TransferError if it is no export at all, or OSError on a full disk."""
    head = _read_head(source)
    with ExitStack() as stack:
        feature_sets = list(_open_features(source, head, report))
        for features in feature_sets:
            stack.callback(features.reader.close)
        albums: dict[int, Album] = _import_albums(source, report)
        stored: dict[int, ImageRecord] = {}
        for record in progress(_pictures(source, report), int(head["pictures"]), "pictures"):
            key = _import_picture(source, record, report)
            if key:
                stored[key] = record
            if len(stored) >= AT_ONCE:
                _complete(stored, feature_sets, albums, report)
                stored = {}
        _complete(stored, feature_sets, albums, report)
        for features in feature_sets:
            if features.reader.damaged:
                report.leave_out_features(features.target.space, features.reader.damaged)
    _import_verdicts(source, report)


def _read_head(source: Source) -> Record:
    """Raises TransferError."""
    try:
        head = decode(source.read(export_format.HEAD, LONGEST))
    except Damaged as error:
        why = f"its {export_format.HEAD} cannot be read ({error})"
        raise TransferError(f"{source.path} is not a complete export: {why}. Nothing was changed.") from error
    if (head.get("format"), head.get("version")) != (export_format.FORMAT, export_format.VERSION):
        raise TransferError(f"{source.path} is not an export that this program can read. Nothing was changed.")
    if not isinstance(head.get("pictures"), int) or not isinstance(head.get("features"), list):
        raise TransferError(f"{source.path}: {export_format.HEAD} lacks pictures or features. Nothing was changed.")
    return head


def _open_features(source: Source, head: Record, report: Report) -> Iterator[FeatureSet]:
    """The features that this site can use; the report says which others workers will compute."""
    targets = {(target.space, target.method.version): target for target in backlog.target_versions(states_of(METHODS))}
    with_model = {space for space, _ in targets}
    for entry in head["features"]:
        space, version, folder = (str(entry.get(name)) for name in ("space", "version", "folder"))
        target = targets.pop((space, version), None)
        if space in METHODS and space not in with_model:
            cure = "Run fetch_models and the same command again"
            report.say(f"{space}: its model is not here, so its features are not imported. {cure}.")
        if not target or not export_format.FEATURE_FOLDER.fullmatch(folder):
            continue
        try:
            yield FeatureSet(target, _open_reader(source, folder, entry, target))
        except (Damaged, OSError) as error:
            report.leave_out(f"What came along for {space}", error)
    for space, version in targets:
        report.say(f"{space}: no features of {version} came along; workers compute them.")


def _open_reader(source: Source, folder: str, entry: Mapping[str, Any], target: TargetVersion) -> FeatureReader:
    """Raises Damaged or OSError."""
    names = [ROWS, PICTURES, *([OFFSETS] if OFFSETS in entry.get("files", ()) else [])]
    with ExitStack() as stack:
        files = [stack.enter_context(source.open(f"{folder}/{name}")) for name in names]
        reader = FeatureReader(files[0], files[2] if len(files) == 3 else None, files[1], target.method.stored)
        stack.pop_all()
    return reader


def _records(source: Source, name: str, report: Report) -> Iterator[Record]:
    """The intact records of a file."""
    try:
        with source.open(name) as file:
            for number, line in enumerate(lines(file), start=1):
                try:
                    yield decode(line)
                except Damaged as error:
                    report.leave_out(f"Line {number} of {name}", error)
    except OSError as error:
        report.leave_out(name, error)


def _pictures(source: Source, report: Report) -> Iterator[ImageRecord]:
    for record in _records(source, export_format.PICTURES, report):
        try:
            yield export_format.parse(record)
        except Damaged as error:
            report.leave_out(f"Picture {record.get('id')}", error)


def _import_albums(source: Source, report: Report) -> dict[int, Album]:
    """Id in the export -> album here."""
    albums: dict[int, Album] = {}
    for record in _records(source, export_format.ALBUMS, report):
        try:
            key, title = int(record["id"]), str(record["title"])
            albums[key] = import_album(title=title, created_at=export_format.time_in(record))
        except (Damaged, KeyError, ValueError) as error:
            report.leave_out(f"Album {record.get('id')}", error)
    return albums


def _import_picture(source: Source, record: ImageRecord, report: Report) -> int | None:
    """The picture's id here; None if its file is damaged, or no picture."""
    if known := Image.everything.filter(sha256=record.sha256).first():
        if known.trashed_at:
            restore_images(ids=[known.pk])
        report.known += 1
        return known.pk
    try:
        data = source.read(record.file, settings.MAX_IMAGE_BYTES)
        if hashlib.sha256(data).hexdigest() != record.sha256:
            raise Damaged("its content has changed")
        added = import_image(data=data, title=record.title, tags=record.tags, created_at=record.created_at)
    except (Damaged, ImageRejected) as error:
        report.leave_out(f"Picture {record.id} ({record.title or record.sha256[:12]})", error)
        return None
    report.added += 1
    return added.image.pk


def _complete(
    stored: Mapping[int, ImageRecord], feature_sets: Iterable[FeatureSet], albums: Mapping[int, Album], report: Report
) -> None:
    """Give pictures their albums and features, and announce those that still lack something to the workers."""
    for exported_id, album in albums.items():
        if keys := [key for key, record in stored.items() if exported_id in record.albums]:
            put_in_album(album=album, ids=keys)
    for features in feature_sets:
        report.features += _store_features(stored, features)
    backlogged = backlog.lacking(states_of(METHODS), thumbnails=True)
    lacking = set(backlogged.filter(pk__in=stored).values_list("pk", flat=True))
    report.recomputed += len(lacking)
    announce_images(ids=sorted(lacking))


def _store_features(stored: Mapping[int, ImageRecord], features: FeatureSet) -> int:
    """Features of those pictures that have none yet; returns how many. What the method rejects counts as damaged."""
    target, reader = features.target, features.reader
    has = set(target.fresh().filter(image_id__in=stored).values_list("image_id", flat=True))
    exported = {key: reader.feature_of(record.id, record.sha256) for key, record in stored.items()}
    unfit = [key for key, data in exported.items() if data is not None and not target.method.fits(data)]
    reader.damaged += len(unfit)
    new = [
        NewFeature(key, target.space, target.method.version, data)
        for key, data in exported.items()
        if data is not None and key not in has and key not in unfit
    ]
    store.store(new)
    return len(new)


def _import_verdicts(source: Source, report: Report) -> None:
    """Pairs of contents that people have set apart as no duplicates."""
    page: list[tuple[str, str]] = []
    for record in _records(source, export_format.APART, report):
        try:
            page.append((export_format.hash_in(record, "one"), export_format.hash_in(record, "two")))
        except Damaged as error:
            report.leave_out("A pair that is no duplicate", error)
        if len(page) == AT_ONCE:
            set_contents_apart(contents=page)
            page = []
    set_contents_apart(contents=page)
