"""Pictures at the addresses that a text file names, one a line; each is fetched with the care of the URL search."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gallery.imports.found import Found
from gallery.url_fetch import fetch

LONGEST = 8_192  # characters of a line; what is longer is no address


def find(path: str) -> Iterator[Found]:
    """Its addresses; empty lines and those that begin with # are passed over."""
    try:
        with Path(path).open(encoding="utf-8-sig", errors="replace") as file:
            for line in iter(partial(file.readline, LONGEST), ""):
                if (url := line.strip()) and not url.startswith("#"):
                    yield Found(url, partial(fetch, url), file_name=_file_name(url), origin=_origin(url))
    except OSError as error:
        yield Found(path, problem=error.strerror or str(error))


def _file_name(url: str) -> str:
    try:
        return unquote(urlsplit(url).path)
    except ValueError:
        return ""


def _origin(url: str) -> str:
    """Addresses may carry passwords and signatures, so they are not written down."""
    return "url:" + hashlib.sha256(url.encode()).hexdigest()
