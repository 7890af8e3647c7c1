"""Features of a space as NumPy arrays, written and read one by one.

``rows.npy`` has a row a picture, or all bytes one after the other where they differ in number; then ``offsets.npy``
says where each begins, and where the last one ends. ``pictures.txt`` has their ids, SHA-256 and the CRC-32 of the row.
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


class Writer:
    """Features into a folder, each as its picture comes."""

    def __init__(self, folder: Path, dtype: str) -> None:
        self.folder, self.dtype = folder, np.dtype(dtype)
        self.count, self.sizes = 0, set[int]()
        self._rows, self._offsets, self._pictures = ((folder / name).open("wb") for name in (ROWS, OFFSETS, PICTURES))
        self._rows.write(bytes(HEADER))
        self._offsets.write(bytes(HEADER) + _number(0))

    def __enter__(self) -> Self:
        return self

    def add(self, image_id: int, sha256: str, data: bytes) -> None:
        self.count += 1
        self.sizes.add(len(data))
        self._rows.write(data)
        self._offsets.write(_number(self._rows.tell() - HEADER))
        self._pictures.write(f"{image_id} {sha256} {zlib.crc32(data):08x}\n".encode())

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        numbers = (self._rows.tell() - HEADER) // self.dtype.itemsize
        even = len(self.sizes) == 1
        _head(self._rows, self.dtype, (self.count, numbers // self.count) if even else (numbers,))
        _head(self._offsets, np.dtype("<i8"), (self.count + 1,))
        for file in (self._rows, self._offsets, self._pictures):
            file.close()
        if even:
            (self.folder / OFFSETS).unlink()

    @property
    def names(self) -> list[str]:
        """Of the files; call it when all are written."""
        return [name for name in (ROWS, OFFSETS, PICTURES) if (self.folder / name).exists()]


class Reader:
    """The features again, in the order in which they were written."""

    def __init__(self, rows: BinaryIO, offsets: BinaryIO | None, pictures: BinaryIO, dtype: str) -> None:
        """Raises Damaged if these are not arrays of this dtype."""
        self.rows, self.offsets, self.pictures = rows, offsets, pictures
        self.damaged = 0
        shape = _shape(rows, np.dtype(dtype))
        self._size = shape[1] * np.dtype(dtype).itemsize if len(shape) == 2 else None
        if (self._size is None) != (offsets is not None) or (self._size or 0) > LARGEST:
            raise Damaged("rows.npy and offsets.npy do not go together")
        self._end = 0
        if offsets is not None:
            _shape(offsets, np.dtype("<i8"))
            self._end = _read_number(offsets)
        self._left = self._pairs()
        self._next = next(self._left, None)

    def close(self) -> None:
        for file in (self.rows, self.offsets, self.pictures):
            if file is not None:
                file.close()

    def take(self, image_id: int, sha256: str) -> bytes | None:
        """The feature of a picture; None if there is none, or it is damaged. Ids must ascend."""
        while self._next and self._next[0] < image_id:
            self._next = next(self._left, None)
        if not self._next or self._next[:2] != (image_id, sha256):
            return None
        return self._next[2]

    def _pairs(self) -> Iterator[tuple[int, str, bytes]]:
        """What is whole; the rest is counted."""
        for line in iter(lambda: self.pictures.readline(200), b""):
            data = self._row()
            found = LINE.fullmatch(line)
            if data is None:
                self.damaged += 1
                return
            if found and zlib.crc32(data) == int(found[3], 16):
                yield int(found[1]), found[2].decode(), data
            else:
                self.damaged += 1

    def _row(self) -> bytes | None:
        """The next one; None if there is no going on."""
        size = self._size
        if self.offsets is not None:
            begin, self._end = self._end, _read_number(self.offsets)
            size = self._end - begin
        if size is None or not 0 <= size <= LARGEST:
            return None
        data = self.rows.read(size)
        return data if len(data) == size else None


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)


def _read_number(file: BinaryIO) -> int:
    data = file.read(8)
    return int.from_bytes(data, "little", signed=True) if len(data) == 8 else -1


def _head(file: BinaryIO, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    file.seek(0)
    npy.write_array_header_1_0(file, {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape})
    if file.tell() != HEADER:
        raise ValueError("NumPy wrote a header of another length.")
    file.seek(0, os.SEEK_END)


def _shape(file: BinaryIO, dtype: np.dtype[np.generic]) -> tuple[int, ...]:
    """Of the array that begins here. Raises Damaged."""
    try:
        version = npy.read_magic(file)
        shape, fortran, found = npy.read_array_header_1_0(file)
    except (ValueError, EOFError, OSError) as error:
        raise Damaged("it has no head of an array") from error
    if version != (1, 0) or fortran or found != dtype or not 1 <= len(shape) <= 2:
        raise Damaged(f"it has {found} numbers, not {dtype}")
    return tuple(int(side) for side in shape)
