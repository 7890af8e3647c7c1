"""What was measured of each method: the figures that ``make bench-quality`` writes for the help page."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What people read for the edits of benchmarks/edits.py.
LABELS = {
    "half size": _("half size"),
    "eighth size": _("eighth size"),
    "squashed to 70%": _("squashed to 70%"),
    "grey": _("grey"),
    "brighter 20%": _("brighter 20%"),
    "darker 40%": _("darker 40%"),
    "contrast 150%": _("contrast 150%"),
    "hue 90°": _("hue 90°"),
    "blur": _("blur"),
    "noise": _("noise"),
    "crop 80%": _("crop 80%"),
    "crop 50%": _("crop 50%"),
    "crop 25%": _("crop 25%"),
    "crop 12%": _("crop 12%"),
    "border 5%": _("border 5%"),
    "letterbox": _("letterbox"),
    "caption bar": _("caption bar"),
    "watermark": _("watermark"),
    # xgettext:no-python-format
    "25% covered": _("25% covered"),
    "in a screenshot": _("in a screenshot"),
    "in a collage": _("in a collage"),
    "mirror": _("mirror"),
    "turn 5°": _("turn 5°"),
    "turn 30°": _("turn 30°"),
    "turn 90°": _("turn 90°"),
    "turn 180°": _("turn 180°"),
    "perspective": _("perspective"),
    "crop 50%, half size, JPEG 30": _("crop 50%, half size, JPEG 30"),
    "mirror, crop 50%": _("mirror, crop 50%"),
    "mirror, turn 30°": _("mirror, turn 30°"),
    "turn 5°, brighter, JPEG 30": _("turn 5°, brighter, JPEG 30"),
    "crop 80%, caption bar, JPEG 50": _("crop 80%, caption bar, JPEG 50"),
    "grey, crop 50%, border 5%": _("grey, crop 50%, border 5%"),
    "screenshot, half size, JPEG 50": _("screenshot, half size, JPEG 50"),
    "mean": _("mean"),
}


@dataclass(frozen=True, slots=True)
class Quality:
    """How often the original of an edited picture came first, in %: a row per edit, a share per column.

    ``edited`` pictures were edited in every way and searched for among ``among``.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | Promise, tuple[float, ...]], ...]
    edited: int
    among: int


def read(file: Path, methods: Iterable[str]) -> Quality | None:
    """The figures of these methods that were measured; None without a readable file, or if it has none of them."""
    try:
        figures = json.loads(file.read_text())
        edits = [(row["edit"], row["recall_at_1"]) for row in figures["edits"]]
        columns = tuple(name for name in methods if edits and all(name in shares for _, shares in edits))
        rows = tuple((LABELS.get(edit, edit), tuple(float(shares[name]) for name in columns)) for edit, shares in edits)
        quality = Quality(columns, rows, int(figures["edited"]), int(figures["among"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return quality if columns else None
