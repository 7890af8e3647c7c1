"""Snapshots on several machines: each has its own folder of them, and fetches what it lacks from a shared storage.

Without a shared storage there is only the folder, of one machine or of a file system that all machines mount.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage, storages

from search.collection import StorageUnavailable, storage_errors
from search.exceptions import SpaceUnavailable
from search.snapshots.files import META, PIECE, check_folder

ALIAS = "snapshots"
PARTIAL = ".coming"  # folder of what is being fetched


def is_shared() -> bool:
    """Whether there is a storage that all machines share."""
    return ALIAS in settings.STORAGES


def publish(name: str) -> None:
    """Copy a folder to the shared storage. Raises SpaceUnavailable; the folder is deleted then."""
    store, folder = _store(), settings.SNAPSHOT_ROOT / name
    if store is None:
        return
    try:
        with _storage():
            for path in folder.iterdir():
                with path.open("rb") as file:
                    store.save(f"{name}/{path.name}", File(file))
    except SpaceUnavailable:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def fetch(name: str, checksum: str) -> Path:
    """A folder on this machine, every byte of it checked; copied from the storage if it is missing or damaged here.

    Raises OSError or ValueError if it is damaged everywhere, SpaceUnavailable if the storage does not answer.
    """
    store, folder = _store(), Path(settings.SNAPSHOT_ROOT) / name
    if store is not None and not _intact(folder, checksum):
        with _fetching():
            # Another process may have fetched it while this one waited.
            if not _intact(folder, checksum):
                _copy_folder(store, name, checksum)
                return folder
    check_folder(folder, checksum)
    return folder


def drop_others(space: str, folders: Iterable[str]) -> None:
    """Delete the folders of a space but for these, on this machine and in the storage. The caller holds its lock."""
    named = {Path(folder).name for folder in folders}
    with suppress(FileNotFoundError):
        for folder in (settings.SNAPSHOT_ROOT / space).iterdir():
            if folder.name not in named:
                shutil.rmtree(folder, ignore_errors=True)
    if store := _store():
        with suppress(FileNotFoundError, SpaceUnavailable), _storage():
            for name in set(store.listdir(space)[0]) - named:
                for file in store.listdir(f"{space}/{name}")[1]:
                    store.delete(f"{space}/{name}/{file}")


def _store() -> Storage | None:
    return storages[ALIAS] if is_shared() else None


def _intact(folder: Path, checksum: str) -> bool:
    try:
        check_folder(folder, checksum)
    except (OSError, ValueError):
        return False
    return True


def _copy_folder(store: Storage, name: str, checksum: str) -> None:
    """Completely or not at all. Raises as ``fetch``."""
    root, folder = settings.SNAPSHOT_ROOT / PARTIAL, settings.SNAPSHOT_ROOT / name
    shutil.rmtree(root, ignore_errors=True)  # a killed process may have left it
    partial = root / uuid4().hex
    with _storage():
        partial.mkdir(parents=True)
        _copy(store, f"{name}/{META}", partial / META)
        meta = (partial / META).read_bytes()
        if sha256(meta).hexdigest() != checksum:
            raise ValueError("meta.json has changed")
        for file in json.loads(meta)["files"]:
            _copy(store, f"{name}/{file}", partial / file)
        check_folder(partial, checksum)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(folder)


def _copy(store: Storage, name: str, path: Path) -> None:
    with store.open(name) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, PIECE)


@contextmanager
def _fetching() -> Iterator[None]:
    """One process of this machine at a time: the others find what it has fetched."""
    settings.SNAPSHOT_ROOT.mkdir(parents=True, exist_ok=True)
    with (settings.SNAPSHOT_ROOT / f"{PARTIAL}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _storage() -> Iterator[None]:
    """Raises SpaceUnavailable where a storage is away: damage, instead, would end the snapshot for all machines."""
    try:
        with storage_errors():
            yield
    except StorageUnavailable as error:
        raise SpaceUnavailable("storage_away", detail=error) from error
