"""What was measured of each method: the figures that ``make bench-quality`` writes for the help page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Quality:
    """How often the original of an edited picture came first, in %: a row per edit, a share per column.

    ``edited`` pictures were edited in every way and searched for among ``among``.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]
    edited: int
    among: int


def read(file: Path, methods: Iterable[str]) -> Quality | None:
    """The figures of these methods that were measured; None without a readable file, or if it has none of them."""
    try:
        figures = json.loads(file.read_text())
        edits = [(row["edit"], row["recall_at_1"]) for row in figures["edits"]]
        columns = tuple(name for name in methods if edits and all(name in shares for _, shares in edits))
        rows = tuple((edit, tuple(float(shares[name]) for name in columns)) for edit, shares in edits)
        quality = Quality(columns, rows, int(figures["edited"]), int(figures["among"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return quality if columns else None
