"""A snapshot's folder: written completely under another name, flushed, and only then renamed; checked before use."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from search.indexes.base import Index

META = "meta.json"
FORMAT = 1  # a reader skips what it does not know
PIECE = 1 << 20  # bytes


def write_folder(root: Path, name: str, index: Index, about: Mapping[str, object]) -> Path:
    """Write an index, and ``about`` it in ``meta.json``, to a new folder whose name begins so. Raises OSError."""
    unique = uuid4().hex[:12]
    unfinished = root / f".{unique}"
    unfinished.mkdir(parents=True)
    try:
        _fill(unfinished, index, about)
        folder = unfinished.rename(root / f"{name}-{unique}")
        flush(root)
    except OSError:
        # A full disk needs the room at once.
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return folder


def _fill(folder: Path, index: Index, about: Mapping[str, object]) -> None:
    index.save(folder)
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir())}
    meta = {"format": FORMAT, "metric": index.metric, "dimension": index.dimension, "count": len(index)}
    (folder / META).write_text(json.dumps({**meta, **about, "files": files}, indent=1))
    # Without this the name may reach the disk before the bytes, and a power cut leaves an empty index.
    for path in (*folder.iterdir(), folder):
        flush(path)


def check_folder(folder: Path, checksum: str) -> None:
    """Read every byte. Raises OSError or ValueError if it is not as it was written."""
    if checksum_of(folder) != checksum:
        raise ValueError("meta.json has changed")
    meta = json.loads((folder / META).read_text())
    if meta["format"] != FORMAT:
        raise ValueError(f"its format is {meta['format']}, this program reads {FORMAT}")
    # An index with a flipped bit would find wrong pictures without any error.
    for name, digest in meta["files"].items():
        if sha256_of(folder / name) != digest:
            raise ValueError(f"{name} has changed")


def checksum_of(folder: Path) -> str:
    """SHA-256 of ``meta.json``, which has those of all other files."""
    return sha256_of(folder / META)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex. Read in long pieces: other threads seldom have to wait for Python's lock."""
    digest, room = hashlib.sha256(), bytearray(min(path.stat().st_size, PIECE) or 1)
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(room):
            digest.update(memoryview(room)[:size])
    return digest.hexdigest()


def flush(path: Path) -> None:
    """A file or a folder is on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
