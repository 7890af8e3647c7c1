"""Lines of JSON with a checksum each."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from search.transfer.exceptions import Damaged

LONGEST = 1 << 20  # bytes of a line

Record = dict[str, Any]


def encode(record: Mapping[str, Any]) -> bytes:
    """A line: the record, and as ``crc32`` that of the record as compact JSON with sorted keys."""
    return _json({**record, "crc32": _checksum(record)}) + b"\n"


def decode(line: bytes) -> Record:
    """The record of a line. Raises Damaged."""
    try:
        record = json.loads(line)
        intact = record.pop("crc32") == _checksum(record)
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise Damaged("no record can be read") from error
    if not intact:
        raise Damaged("its checksum is another")
    return dict(record)


def lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, of bounded length; a longer one comes in parts, which are damaged then."""
    while line := file.readline(LONGEST):
        yield line


def _json(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _checksum(record: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(_json(record)):08x}"
