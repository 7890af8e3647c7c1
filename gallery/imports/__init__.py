"""Where pictures can be imported from: files, folders, archives, buckets and lists of addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gallery.imports import addresses, buckets, folders, tars, zips
from gallery.imports.found import Found

__all__ = ["Found", "count", "exists", "find"]

# The end of a file's name -> what is in it. Other files are pictures.
CONTAINERS = {
    ".zip": zips.find,
    ".tar": tars.find,
    ".tar.gz": tars.find,
    ".tgz": tars.find,
    ".txt": addresses.find,
}


def exists(path: str) -> bool:
    """Whether there is something to look into; a bucket is asked later."""
    return buckets.is_bucket(path) or Path(path).exists()


def find(paths: Iterable[str], *, recursive: bool) -> Iterator[Found]:
    """All that may be pictures, unread, in the order of the paths. Raises SourceUnavailable.

    Of a folder the files in it, neither hidden nor special ones; of an archive and a bucket all that is in it.
    """
    for path in paths:
        if buckets.is_bucket(path):
            yield from buckets.find(path)
        elif Path(path).is_dir():
            yield from folders.in_folder(path, recursive)
        elif kind := _kind(path):
            yield from CONTAINERS[kind](path)
        else:
            yield folders.file(path)


def count(paths: Iterable[str], *, recursive: bool) -> int | None:
    """How many there are to be tried; None if only reading them all would tell. Raises SourceUnavailable."""
    known = list(paths)
    if any(CONTAINERS.get(_kind(path)) is tars.find for path in known):
        return None
    return sum(1 for _ in find(known, recursive=recursive))


def _kind(path: str) -> str:
    return next((end for end in CONTAINERS if path.lower().endswith(end)), "")
