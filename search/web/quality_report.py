"""What was measured of each way of searching: the tables of benchmarks/results, read as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ABOUT_EDITS = "edited picture"  # in the heading above the table


@dataclass(frozen=True, slots=True)
class Edits:
    """Share of edited pictures whose original came first: row = an edit, a cell for each of ``columns``, in %."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    note: str


def edits(file: Path, spaces: Iterable[str]) -> Edits | None:
    """The table of edits in a report, edits as rows or as columns; None if there is none of these spaces."""
    try:
        parts = re.split(r"^## ", file.read_text(), flags=re.MULTILINE)
    except OSError:
        return None
    known = tuple(spaces)
    for part in parts[1:]:
        heading, _, text = part.partition("\n")
        if ABOUT_EDITS in heading and (table := _table(text)):
            note = next((line for line in text.splitlines() if line and line[0] != "|"), "")
            return _edits(table, known, note)
    return None


def _table(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("*`") for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not set("".join(row)) <= set("-: ")]


def _edits(table: list[list[str]], known: tuple[str, ...], note: str) -> Edits | None:
    head, *body = table
    if not set(head[1:]) & set(known):
        head, *body = [list(column) for column in zip(*table, strict=True)]
    found: Mapping[str, int] = {name: place for place, name in enumerate(head) if place and name in known}
    columns = tuple(name for name in known if name in found)
    rows = [(row[0], tuple(_first(row[found[name]]) for name in columns)) for row in body]
    return Edits(columns, tuple(rows), note) if columns else None


def _first(cell: str) -> float:
    """The first number of a cell such as ``42 / 54``."""
    number = re.search(r"\d+(\.\d+)?", cell)
    return float(number[0]) if number else 0.0
