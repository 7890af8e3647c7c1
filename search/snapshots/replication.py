"""Snapshots on several machines: each has its own folder of them, and takes what it lacks from a storage they share.

Without a shared storage there is only the folder, of one machine or of a file system that all have.
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

from search.collection import StorageAway, speaking_to_storage
from search.exceptions import SpaceUnavailable
from search.snapshots.files import META, PIECE, check_folder

ALIAS = "snapshots"
COMING = ".coming"  # folder of what is being fetched


def is_shared() -> bool:
    """Whether there is a storage that all machines share."""
    return ALIAS in settings.STORAGES


def publish(name: str) -> None:
    """Let other machines have a folder. Raises SpaceUnavailable; the folder is gone then."""
    store, folder = _store(), settings.SNAPSHOT_ROOT / name
    if store is None:
        return
    try:
        with _away_is_told():
            for path in folder.iterdir():
                with path.open("rb") as file:
                    store.save(f"{name}/{path.name}", File(file))
    except SpaceUnavailable:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def bring(name: str, checksum: str) -> Path:
    """A folder that is here, every byte of it checked; from the storage if it is not, or is damaged here.

    Raises OSError or ValueError if it is damaged everywhere, SpaceUnavailable if the storage does not answer.
    """
    store, folder = _store(), Path(settings.SNAPSHOT_ROOT) / name
    if store is not None and not _whole(folder, checksum):
        with _one_fetches():
            if not _whole(folder, checksum):
                _fetch(store, name, checksum)
                return folder
    check_folder(folder, checksum)
    return folder


def drop(space: str, named: Iterable[str]) -> None:
    """Remove the folders of a space that have none of these names, here and in the storage. Nobody may be building."""
    kept = {Path(one).name for one in named}
    with suppress(FileNotFoundError):
        for folder in (settings.SNAPSHOT_ROOT / space).iterdir():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)
    if store := _store():
        with suppress(FileNotFoundError, SpaceUnavailable), _away_is_told():
            for name in set(store.listdir(space)[0]) - kept:
                for file in store.listdir(f"{space}/{name}")[1]:
                    store.delete(f"{space}/{name}/{file}")


def _store() -> Storage | None:
    return storages[ALIAS] if is_shared() else None


def _whole(folder: Path, checksum: str) -> bool:
    try:
        check_folder(folder, checksum)
    except (OSError, ValueError):
        return False
    return True


def _fetch(store: Storage, name: str, checksum: str) -> None:
    """Whole or not at all. Raises as ``bring``."""
    root, folder = settings.SNAPSHOT_ROOT / COMING, settings.SNAPSHOT_ROOT / name
    shutil.rmtree(root, ignore_errors=True)  # what was killed left it
    coming = root / uuid4().hex
    with _away_is_told():
        coming.mkdir(parents=True)
        _copy(store, f"{name}/{META}", coming / META)
        meta = (coming / META).read_bytes()
        if sha256(meta).hexdigest() != checksum:
            raise ValueError("meta.json has changed")
        for file in json.loads(meta)["files"]:
            _copy(store, f"{name}/{file}", coming / file)
        check_folder(coming, checksum)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        coming.rename(folder)


def _copy(store: Storage, name: str, path: Path) -> None:
    with store.open(name) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, PIECE)


@contextmanager
def _one_fetches() -> Iterator[None]:
    """One process of this machine at a time: the others find what it brought."""
    settings.SNAPSHOT_ROOT.mkdir(parents=True, exist_ok=True)
    with (settings.SNAPSHOT_ROOT / f"{COMING}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _away_is_told() -> Iterator[None]:
    """A storage that does not answer says nothing about a snapshot, and must not spoil its name for all machines."""
    try:
        with speaking_to_storage():
            yield
    except StorageAway as error:
        raise SpaceUnavailable("storage_away", detail=error) from error
