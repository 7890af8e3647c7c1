"""A folder or tar to write to: it is written under another name, and renamed when it is complete."""

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
from search.transfer.exceptions import TransferError

FILES = "files"  # the folder whose files are named by their content, so that a later try may use what is there
CHUNK = 1 << 20  # bytes


class Target(ABC):
    """Takes files by name. Names come from the program, never from a visitor."""

    def __init__(self, unfinished: Path) -> None:
        self.unfinished = unfinished

    @abstractmethod
    def has(self, name: str, size: int) -> bool:
        """Whether an earlier try has left this file complete."""

    @abstractmethod
    def add(self, name: str, data: bytes) -> None: ...

    @abstractmethod
    def scratch(self, name: str) -> Path:
        """Where to write a file that grows; ``commit`` takes it in when it is complete."""

    @abstractmethod
    def commit(self, name: str) -> None: ...

    @abstractmethod
    def finish(self, path: Path) -> None:
        """Everything is on disk and under its final name when this returns."""


class FolderTarget(Target):
    """A folder that is filled; files that are there already are not written again."""

    def __init__(self, unfinished: Path) -> None:
        super().__init__(unfinished)
        for remnant in unfinished.iterdir():
            if remnant.name != FILES:
                shutil.rmtree(remnant) if remnant.is_dir() else remnant.unlink()
        # The file system's own clock, since that dates the files that come.
        self._started = self._write("started", b"").stat().st_mtime_ns

    def has(self, name: str, size: int) -> bool:
        path = self.unfinished / name
        if not path.is_file() or path.stat().st_size != size:
            return False
        path.touch()
        return True

    def add(self, name: str, data: bytes) -> None:
        self._write(name, data)

    def scratch(self, name: str) -> Path:
        path = self.unfinished / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def commit(self, name: str) -> None:
        """It is where it belongs already."""

    def finish(self, path: Path) -> None:
        """Files of an earlier try that this one did not ask for are removed: their pictures have been deleted."""
        (self.unfinished / "started").unlink()
        for file in (self.unfinished / FILES).rglob("*"):
            if file.is_file() and file.stat().st_mtime_ns < self._started:
                file.unlink()
        os.sync()  # once for all files
        self.unfinished.rename(path)
        flush(path.parent)

    def _write(self, name: str, data: bytes) -> Path:
        """Complete or not at all, even if the process is killed."""
        path = self.scratch(name)
        part = path.with_name(f".{path.name}")
        part.write_bytes(data)
        return part.replace(path)


class TarTarget(Target):
    """Writes entries by itself, for tarfile would remember every one in memory."""

    def __init__(self, unfinished: Path) -> None:
        super().__init__(unfinished)
        for remnant in unfinished.iterdir():
            shutil.rmtree(remnant) if remnant.is_dir() else remnant.unlink()
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

    def commit(self, name: str) -> None:
        path = self.scratch(name)
        self._begin(name, path.stat().st_size)
        with path.open("rb") as part:
            shutil.copyfileobj(part, self._file, CHUNK)
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
def open_target(path: Path) -> Iterator[Target]:
    """A tar if the name ends so, else a folder; renamed to ``path`` if nothing is raised.

    Raises TransferError if it exists, or another process writes it; or OSError.
    """
    if os.path.lexists(path):
        raise TransferError(f"{path} exists already. Name another one, or remove it.")
    unfinished = path.absolute().with_name(f".{path.name}.unfinished")
    unfinished.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(unfinished, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        writer = TarTarget(unfinished) if path.suffix == ".tar" else FolderTarget(unfinished)
        yield writer
        writer.finish(path)
    except BlockingIOError as error:
        raise TransferError(f"Another process is writing {path}.") from error
    except BaseException:
        if not (unfinished / FILES).exists():  # nothing that another try could use
            shutil.rmtree(unfinished, ignore_errors=True)
        raise
    finally:
        os.close(folder)
