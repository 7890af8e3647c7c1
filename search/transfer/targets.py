"""A folder or a tar that is written beside its place, and takes it when it is whole."""

from __future__ import annotations

import fcntl
import os
import shutil
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from search.snapshots.files import flush
from search.transfer.exceptions import MovingError

FILES = "files"  # the folder whose files are named by their content: what an earlier try has left is kept
PIECE = 1 << 20  # bytes


class Target(ABC):
    """Takes files under names that the program makes, never a visitor."""

    def __init__(self, unfinished: Path) -> None:
        self.unfinished = unfinished

    @abstractmethod
    def has(self, name: str, size: int) -> bool:
        """Whether an earlier try has left this file."""

    @abstractmethod
    def add(self, name: str, data: bytes) -> None: ...

    @abstractmethod
    def scratch(self, name: str) -> Path:
        """Where to write a file that grows; ``keep`` takes it in."""

    @abstractmethod
    def keep(self, name: str) -> None: ...

    @abstractmethod
    def finish(self, path: Path) -> None:
        """All is on disk and in its place when this returns."""


class FolderTarget(Target):
    def __init__(self, unfinished: Path) -> None:
        super().__init__(unfinished)
        for left in unfinished.iterdir():
            if left.name != FILES:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        self._started = self._written("started", b"").stat().st_mtime_ns

    def has(self, name: str, size: int) -> bool:
        path = self.unfinished / name
        if not path.is_file() or path.stat().st_size != size:
            return False
        path.touch()
        return True

    def add(self, name: str, data: bytes) -> None:
        self._written(name, data)

    def scratch(self, name: str) -> Path:
        path = self.unfinished / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, name: str) -> None:
        """It is in its place already."""

    def finish(self, path: Path) -> None:
        """What an earlier try has left, and is not wanted any more, goes."""
        (self.unfinished / "started").unlink()
        for left in (self.unfinished / FILES).rglob("*"):
            if left.is_file() and left.stat().st_mtime_ns < self._started:
                left.unlink()
        os.sync()  # once for all files
        self.unfinished.rename(path)
        flush(path.parent)

    def _written(self, name: str, data: bytes) -> Path:
        """Whole, or not there at all, when the process is killed."""
        path = self.scratch(name)
        part = path.with_name(f".{path.name}")
        part.write_bytes(data)
        return part.replace(path)


class TarTarget(Target):
    """tarfile itself would remember every entry."""

    def __init__(self, unfinished: Path) -> None:
        super().__init__(unfinished)
        for left in unfinished.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        self._file: BinaryIO = (unfinished / "tar").open("wb")

    def has(self, name: str, size: int) -> bool:
        return False

    def add(self, name: str, data: bytes) -> None:
        self._begin(name, len(data))
        self._file.write(data)
        self._pad()

    def scratch(self, name: str) -> Path:
        path = self.unfinished / "parts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, name: str) -> None:
        path = self.scratch(name)
        self._begin(name, path.stat().st_size)
        with path.open("rb") as part:
            shutil.copyfileobj(part, self._file, PIECE)
        self._pad()
        path.unlink()

    def finish(self, path: Path) -> None:
        self._file.write(bytes(2 * tarfile.BLOCKSIZE))
        self._file.close()
        flush(self.unfinished / "tar")
        os.link(self.unfinished / "tar", path)  # unlike renaming, never over another file
        flush(path.parent)
        shutil.rmtree(self.unfinished)

    def _begin(self, name: str, size: int) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = size
        self._file.write(entry.tobuf(tarfile.PAX_FORMAT))

    def _pad(self) -> None:
        self._file.write(bytes(-self._file.tell() % tarfile.BLOCKSIZE))


@contextmanager
def target(path: Path) -> Iterator[Target]:
    """A tar if the name ends so, else a folder; in its place if all went well. Raises MovingError or OSError."""
    if os.path.lexists(path):
        raise MovingError(f"{path} is there already. Name another place, or remove it.")
    unfinished = path.absolute().with_name(f".{path.name}.unfinished")
    unfinished.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(unfinished, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        writer = TarTarget(unfinished) if path.suffix == ".tar" else FolderTarget(unfinished)
        yield writer
        writer.finish(path)
    except BlockingIOError as error:
        raise MovingError(f"Another process is writing {path}.") from error
    except BaseException:
        if not (unfinished / FILES).exists():  # nothing that another try could use
            shutil.rmtree(unfinished, ignore_errors=True)
        raise
    finally:
        os.close(folder)
