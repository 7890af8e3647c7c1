"""An encoder on disk: ONNX files, tokenizer and arrays, with a meta.json that has the checksums of all.

``models/<name>`` is a link to ``models/<name>.<hash>``, so that a new one takes over in one step and the old
one stays for the space that was built with it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.encoders.exceptions import EncoderDamaged, EncoderMissing

FORMAT = 1
META = "meta.json"
LONGEST_NAME = 48

Meta = Mapping[str, Any]
Fill = Callable[[Path], Meta]


@dataclass(frozen=True)
class Folder:
    """An encoder folder whose files match the checksums in ``meta``.

    ``meta`` has: format, name, label, kind, origin, weights_sha256, licence, dimension, words, score,
    files {name: sha256}, computed {name: sha256}, made_at; and what the kind needs (preprocessing, ...).
    """

    path: Path
    meta: Meta

    @property
    def name(self) -> str:
        return str(self.meta["name"])

    @property
    def hash(self) -> str:
        return content_hash(self.meta)

    @property
    def key(self) -> str:
        """``name@hash``, the hash cut to 12 hex digits: vectors of two keys never mix."""
        return f"{self.name}@{self.hash[:12]}"

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(file.stat().st_size for file in self.path.iterdir())

    def sha(self, file: str) -> str:
        checksums: Mapping[str, str] = {**self.meta["files"], **self.meta["computed"]}
        return checksums[file]


def folder_name(name: str) -> str:
    """A requested name (``clip:ViT-B-32:openai``) -> that of the folder and encoder (``clip-ViT-B-32-openai``)."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")
    if len(safe) <= LONGEST_NAME:
        return safe
    return f"{safe[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def content_hash(meta: Meta) -> str:
    """SHA-256 of what decides the vectors.

    Arrays named in ``computed`` follow from the files and settings but for last bits that differ between
    processors; they do not count, so that all machines of one site agree.
    """
    content = {key: value for key, value in meta.items() if key not in ("made_at", "computed")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write_folder(root: Path, name: str, fill: Fill) -> Folder:
    """Make a folder at once or not at all: ``fill`` writes its files and returns its meta.

    ``computed`` in what ``fill`` returns lists the files whose last bits may differ between processors.
    """
    name = folder_name(name)
    root.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root))
    try:
        meta = _complete(work, name, fill(work))
        (work / META).write_text(json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=False))
        work.chmod(0o755)
        for file in (*work.iterdir(), work):
            _to_disk(file)
        _put(work, root / f"{name}.{content_hash(meta)[:12]}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _point(root, name, f"{name}.{content_hash(meta)[:12]}")
    return read_folder(root, name)


def read_folder(root: Path, name: str) -> Folder:
    """The folder of a name, or of a key ``name@hash``. Raises EncoderMissing or EncoderDamaged, which name the cure."""
    path = folder_path(root, name)
    if not path.exists():
        raise EncoderMissing("encoder_missing", name=name, command=_requested_name(name))
    try:
        meta = json.loads((path / META).read_bytes())
        if meta["format"] != FORMAT:
            raise _damaged(name, f"its format is {meta['format']}, not {FORMAT}")
        checksums = {**meta["files"], **meta["computed"]}
        broken = [file for file, sha in checksums.items() if file_sha(path / file) != sha]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(name, str(error)) from error
    if broken:
        raise _damaged(name, f"{', '.join(broken)} changed on disk")
    return Folder(path.resolve(), meta)


def folder_path(root: Path, name: str) -> Path:
    """Where the folder of a name or key is, or would be."""
    plain, _, hash12 = name.partition("@")
    return root / (f"{folder_name(plain)}.{hash12}" if hash12 else folder_name(plain))


def folders(root: Path) -> list[str]:
    """Names of the installed encoders, damaged or not, without older versions."""
    return sorted(path.parent.name for path in root.glob(f"*/{META}") if path.parent.is_symlink())


def file_sha(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _complete(work: Path, name: str, meta: Meta) -> dict[str, Any]:
    computed = set(meta.get("computed", ()))
    checksums = {file.name: file_sha(file) for file in sorted(work.iterdir())}
    return {
        **meta,
        "format": FORMAT,
        "name": name,
        "files": {file: sha for file, sha in checksums.items() if file not in computed},
        "computed": {file: sha for file, sha in checksums.items() if file in computed},
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _put(work: Path, target: Path) -> None:
    """Rename a finished folder to its final name; one that has it (the same, or a damaged one) is removed."""
    if target.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        target.rename(aside / "old")
        work.rename(target)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        work.rename(target)
    _to_disk(target.parent)


def _point(root: Path, name: str, target: str) -> None:
    """Link ``root/name`` to ``root/target``, in one step."""
    link = root / name
    if link.is_dir() and not link.is_symlink():
        link.rename(Path(tempfile.mkdtemp(prefix=f"{name}.copied.", dir=root)) / name)
    fresh = root / f".{name}.{os.getpid()}.link"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.replace(link)
    _to_disk(root)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _requested_name(name: str) -> str:
    return name.partition("@")[0]


def _damaged(name: str, reason: str) -> EncoderDamaged:
    return EncoderDamaged("encoder_damaged", name=name, detail=reason, command=_requested_name(name))
