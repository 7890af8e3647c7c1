"""Files beside a picture that describe it, as in a webdataset.

Neighbours whose names are alike up to the first dot belong together: ``key.txt`` is the caption of ``key.jpg``, and
``key.json`` may have ``title`` (or ``caption``) and ``tags``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.conf import settings

from gallery.imports.entry import Entry

SIDECARS = ("txt", "json")  # ends of their names
MAX_TAGS = 100


@dataclass(slots=True)
class Sample:
    """Neighbours that belong together. The bytes of its pictures are held until all their sidecars have come."""

    key: str
    pictures: list[tuple[str, bytes]] = field(default_factory=list)
    sidecars: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # by the end of the name

    @property
    def full(self) -> bool:
        """Whether it holds as much as one picture may have; no more is added then."""
        return sum(len(data) for _, data in self.pictures) > int(settings.MAX_IMAGE_BYTES)

    def add(self, name: str, end: str, data: bytes) -> None:
        if end in SIDECARS:
            self.sidecars[end] = (name, data)
        else:
            self.pictures.append((name, data))

    def entries(self) -> Iterator[Entry]:
        """Its pictures, with what the sidecars say; they are let go of. A sidecar without a picture is tried as one."""
        if not self.pictures:
            self.pictures = list(self.sidecars.values())
            self.sidecars = {}
        description, problem = self._description()
        for name, data in self.pictures:
            yield Entry(name, partial(bytes, data), title=_title(description), tags=_tags(description))
        if problem:
            yield problem
        self.pictures = []

    def _description(self) -> tuple[Mapping[str, Any], Entry | None]:
        """What JSON and caption say, and what is wrong with the JSON. The caption wins over one in the JSON."""
        _, caption = self.sidecars.get("txt", ("", b""))
        description: dict[str, Any] = {"caption": caption.decode(errors="replace").strip()} if caption else {}
        if "json" not in self.sidecars:
            return description, None
        name, text = self.sidecars["json"]
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            problem = "This is no JSON; the picture is imported without it."
            return description, Entry(name, problem=problem, code="damaged")
        return (parsed | description if isinstance(parsed, dict) else description), None


def split_name(path: str) -> tuple[str, str]:
    """Path -> its key (up to the first dot of the file's name), and the end behind that dot, in lower case."""
    folder, _, name = path.rpartition("/")
    key, _, end = name.partition(".")
    return f"{folder}/{key}", end.lower()


def _title(description: Mapping[str, Any]) -> str:
    title = description.get("title") or description.get("caption")
    return title if isinstance(title, str) else ""


def _tags(description: Mapping[str, Any]) -> tuple[str, ...]:
    """From a list of words, or words separated by commas."""
    tags = description.get("tags")
    words = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else []
    return tuple(word for word in words[:MAX_TAGS] if isinstance(word, str))
