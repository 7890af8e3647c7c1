"""A finished export or backup to read from: a folder or a tar."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from search.collection import members, open_bounded
from search.transfer.exceptions import Damaged, TransferError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Source(ABC):
    """Files by name. Names come from the program, never from what is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """Raises FileNotFoundError, or another OSError if it is no plain file."""

    def read(self, name: str, most: int) -> bytes:
        """All of a file. Raises Damaged if it cannot be read, or has more than ``most`` bytes."""
        try:
            with self.open(name) as file:
                data = file.read(most + 1)
        except OSError as error:
            raise Damaged(f"its file cannot be read ({error.strerror or error})") from error
        if len(data) > most:
            raise Damaged(f"its file has more than {most:,} bytes")
        return data


class FolderSource(Source):
    """A folder that ``export`` wrote."""

    def open(self, name: str) -> BinaryIO:
        """Links are not followed, since they may lead anywhere; a pipe is refused, for reading it might never end."""
        descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("this is no plain file")
        return os.fdopen(descriptor, "rb")


class TarSource(Source):
    """Remembers where every file lies: some 200 bytes each."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._entries: dict[str, tuple[int, int]] = {}
        with open_bounded(str(path)) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for entry in members(archive, file):
                if entry.isreg() and entry.sparse is None:
                    self._entries[entry.name] = (entry.offset_data, entry.size)

    def open(self, name: str) -> BinaryIO:
        if name not in self._entries:
            raise FileNotFoundError(f"{name} is not in {self.path.name}")
        return io.BufferedReader(_Part(self.path, *self._entries[name]))


class _Part(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, path: Path, begin: int, size: int) -> None:
        with ExitStack() as stack:
            self._file = stack.enter_context(path.open("rb", buffering=0))
            self._file.seek(begin)
            stack.pop_all()
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)[: self._left]
        count = self._file.readinto(view) or 0
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def open_source(path: Path) -> Source:
    """Raises TransferError."""
    try:
        return FolderSource(path) if path.is_dir() else TarSource(path)
    except (tarfile.TarError, ValueError, OSError) as error:
        raise TransferError(f"{path} is not a complete export: {error}. Nothing was changed.") from error
