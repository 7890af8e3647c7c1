"""Pictures at the addresses that a text file names, one a line; each is fetched with the care of the URL search."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gallery.imports.entry import Entry
from gallery.url_fetch import fetch

MAX_LINE = 8_192  # characters; what is longer is no address


def entries(path: str) -> Iterator[Entry]:
    """Its addresses; empty lines and those that begin with # are skipped."""
    try:
        # Editors of Windows write a byte order mark first.
        with Path(path).open(encoding="utf-8-sig", errors="replace") as file:
            for line in iter(partial(file.readline, MAX_LINE), ""):
                if (url := line.strip()) and not url.startswith("#"):
                    yield Entry(url, partial(fetch, url), file_name=_file_name(url), origin=_origin(url))
    except OSError as error:
        yield Entry(path, problem=error.strerror or str(error))


def _file_name(url: str) -> str:
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def _origin(url: str) -> str:
    """A hash: addresses may have passwords and signatures in them, which are not to be stored."""
    return "url:" + hashlib.sha256(url.encode()).hexdigest()
