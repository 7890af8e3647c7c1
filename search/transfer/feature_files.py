"""Features of a space as NumPy arrays, written and read one by one.

``rows.npy`` has a row for each picture, or all bytes one after the other where they differ in number; then
``offsets.npy`` says where each begins, and where the last one ends. ``pictures.txt`` has the pictures' ids, their
SHA-256 and the CRC-32 of their rows.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.lib import format as npy

from search.transfer.exceptions import Damaged

ROWS, OFFSETS, PICTURES = "rows.npy", "offsets.npy", "pictures.txt"
HEADER = 128  # bytes: NumPy leaves room for the number of rows to grow
LARGEST = 1 << 20  # bytes of a feature
LINE = re.compile(rb"(\d{1,18}) ([0-9a-f]{64}) ([0-9a-f]{8})\n")


class FeatureWriter:
    """Writes features to a folder in the order in which they are added; the headers last, when the count is known."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self.folder, self.dtype = folder, np.dtype(dtype)
        self.count, self.sizes = 0, set[int]()
        self._rows, self._offsets, self._pictures = ((folder / name).open("wb") for name in (ROWS, OFFSETS, PICTURES))
        self._rows.write(bytes(HEADER))
        self._offsets.write(bytes(HEADER) + _integer(0))

    def __enter__(self) -> Self:
        return self

    def add(self, image_id: int, sha256: str, data: bytes) -> None:
        self.count += 1
        self.sizes.add(len(data))
        self._rows.write(data)
        self._offsets.write(_integer(self._rows.tell() - HEADER))
        self._pictures.write(f"{image_id} {sha256} {zlib.crc32(data):08x}\n".encode())

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        numbers = (self._rows.tell() - HEADER) // self.dtype.itemsize
        equal_sizes = len(self.sizes) == 1
        _write_header(self._rows, self.dtype, (self.count, numbers // self.count) if equal_sizes else (numbers,))
        _write_header(self._offsets, np.dtype("<i8"), (self.count + 1,))
        for file in (self._rows, self._offsets, self._pictures):
            file.close()
        if equal_sizes:
            (self.folder / OFFSETS).unlink()

    @property
    def names(self) -> list[str]:
        """Of the files; call it when all are written."""
        return [name for name in (ROWS, OFFSETS, PICTURES) if (self.folder / name).exists()]


class FeatureReader:
    """Reads features in the order in which they were written; ``damaged`` counts those that it had to skip."""

    def __init__(self, rows: BinaryIO, offsets: BinaryIO | None, pictures: BinaryIO, dtype: str) -> None:
        """Raises Damaged if these are not arrays of this dtype."""
        self.rows, self.offsets, self.pictures = rows, offsets, pictures
        self.damaged = 0
        shape = _read_header(rows, np.dtype(dtype))
        self._size = shape[1] * np.dtype(dtype).itemsize if len(shape) == 2 else None
        if (self._size is None) != (offsets is not None) or (self._size or 0) > LARGEST:
            raise Damaged("rows.npy and offsets.npy do not go together")
        self._end = 0
        if offsets is not None:
            _read_header(offsets, np.dtype("<i8"))
            self._end = _read_integer(offsets)
        self._features = self._intact()
        self._next = next(self._features, None)

    def close(self) -> None:
        for file in (self.rows, self.offsets, self.pictures):
            if file is not None:
                file.close()

    def feature_of(self, image_id: int, sha256: str) -> bytes | None:
        """The feature of a picture; None if there is none, or it is damaged. Ids must ascend from call to call."""
        while self._next and self._next[0] < image_id:
            self._next = next(self._features, None)
        if not self._next or self._next[:2] != (image_id, sha256):
            return None
        return self._next[2]

    def _intact(self) -> Iterator[tuple[int, str, bytes]]:
        """Id, SHA-256 and feature of each that is intact; the others are counted."""
        for line in iter(lambda: self.pictures.readline(200), b""):
            data = self._row()
            fields = LINE.fullmatch(line)
            if data is None:
                self.damaged += 1
                return
            if fields and zlib.crc32(data) == int(fields[3], 16):
                yield int(fields[1]), fields[2].decode(), data
            else:
                self.damaged += 1

    def _row(self) -> bytes | None:
        """The next row; None if the file ends early, or an offset makes no sense: nothing after it can be trusted."""
        size = self._size
        if self.offsets is not None:
            begin, self._end = self._end, _read_integer(self.offsets)
            size = self._end - begin
        if size is None or not 0 <= size <= LARGEST:
            return None
        data = self.rows.read(size)
        return data if len(data) == size else None


def _integer(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)


def _read_integer(file: BinaryIO) -> int:
    """The next one; -1 at the end of the file."""
    data = file.read(8)
    return int.from_bytes(data, "little", signed=True) if len(data) == 8 else -1


def _write_header(file: BinaryIO, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    """Into the room that was left for it."""
    file.seek(0)
    npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    if file.tell() != HEADER:
        raise ValueError("NumPy wrote a header of another length.")
    file.seek(0, os.SEEK_END)


def _read_header(file: BinaryIO, dtype: np.dtype[np.generic]) -> tuple[int, ...]:
    """Shape of the array that begins here. Raises Damaged."""
    try:
        version = npy.read_magic(file)
        shape, fortran, stored = npy.read_array_header_1_0(file)
    except (ValueError, EOFError, OSError) as error:
        raise Damaged("it has no head of an array") from error
    if version != (1, 0) or fortran or stored != dtype or not 1 <= len(shape) <= 2:
        raise Damaged(f"it has {stored} numbers, not {dtype}")
    return tuple(int(side) for side in shape)
