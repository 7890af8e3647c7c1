"""Where pictures can be imported from: files, folders, archives, buckets and lists of addresses.

A source is a module with a generator ``entries(path)``; a kind of file needs one line in CONTAINERS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gallery.imports import addresses, buckets, folders, tars, zips
from gallery.imports.entry import Entry

__all__ = ["Entry", "count", "entries", "exists"]

# The end of a file's name -> what is in it. Other files are pictures.
CONTAINERS = {
    ".zip": zips.entries,
    ".tar": tars.entries,
    ".tar.gz": tars.entries,
    ".tgz": tars.entries,
    ".txt": addresses.entries,
}


def exists(path: str) -> bool:
    """Whether there is something to look into. A bucket is always taken to exist: asking it is left to ``entries``."""
    return buckets.is_bucket(path) or Path(path).exists()


def entries(paths: Iterable[str], *, recursive: bool) -> Iterator[Entry]:
    """All that may be pictures, unread, in the order of the paths. Raises SourceUnavailable.

    Of a folder the files in it, but neither hidden nor special ones; of an archive and a bucket all that is in it.
    """
    for path in paths:
        if buckets.is_bucket(path):
            yield from buckets.entries(path)
        elif Path(path).is_dir():
            yield from folders.entries(path, recursive)
        elif kind := _container(path):
            yield from CONTAINERS[kind](path)
        else:
            yield folders.file(path)


def count(paths: Iterable[str], *, recursive: bool) -> int | None:
    """How many entries there are; None where only reading everything would tell. Raises SourceUnavailable."""
    sources = list(paths)
    if any(CONTAINERS.get(_container(path)) is tars.entries for path in sources):
        return None
    return sum(1 for _ in entries(sources, recursive=recursive))


def _container(path: str) -> str:
    """The end of the name in CONTAINERS, or ""."""
    return next((end for end in CONTAINERS if path.lower().endswith(end)), "")
