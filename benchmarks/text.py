"""How well words find pictures: recall and median rank of captioned pictures, per set of captions and encoder.

``python -m benchmarks.text [data folder]`` prints the table and writes benchmarks/results/text.md. The data
folder holds captions.csv (file, lang, caption) and the files it names. Encoders are those under MODELS_ROOT.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gallery.decoding import decode
from search.encoders import DEFAULTS, load, make
from search.encoders.base import Encoder
from search.encoders.folder import folders
from search.methods.base import Picture

REPORT = Path(__file__).parent / "results" / "text.md"
HALVES = "flickr8k"

Captions = dict[Path, str]


@dataclass(frozen=True)
class Recall:
    """Shares of captions whose own picture is among the first 1, 5, 10; median of its 1-based rank."""

    pictures: int
    at_1: float
    at_5: float
    at_10: float
    median: float


def caption_sets(data: Path) -> dict[str, Captions]:
    """Name of the set -> picture -> its first caption; tuxpaint has a set for each language."""
    sets: dict[str, Captions] = {}
    with (data / "captions.csv").open(newline="") as file:
        for entry in csv.DictReader(file):
            folder = entry["file"].partition("/")[0]
            name = folder if entry["lang"] == "en" else f"{folder}, {entry['lang']}"
            sets.setdefault(name, {}).setdefault(data / entry["file"], entry["caption"])
    return sets


def halves(captions: Captions) -> tuple[Captions, Captions]:
    """The half that settings were chosen on, and the other; the same in every run."""
    order = np.random.default_rng(0).permutation(len(captions))
    entries = list(captions.items())
    cut = len(order) // 2
    first, second = ([entries[place] for place in sorted(part.tolist())] for part in (order[:cut], order[cut:]))
    return dict(first), dict(second)


def recall(encoder: Encoder, captions: Captions) -> Recall:
    """Every caption asked of all pictures of the set."""
    seen = np.concatenate([encoder.encode_image([Picture(decode(file.read_bytes()).pixels)]) for file in captions])
    return rank(encoder.encode_text(list(captions.values())), seen)


def rank(texts: NDArray[np.float32], pictures: NDArray[np.float32]) -> Recall:
    """Row i of ``texts`` tells of row i of ``pictures``; all are unit rows."""
    cosines = texts @ pictures.T
    ranks = 1 + (cosines > np.diag(cosines)[:, None]).sum(axis=1)
    at_1, at_5, at_10 = (float((ranks <= most).mean()) for most in (1, 5, 10))
    return Recall(len(pictures), at_1, at_5, at_10, float(np.median(ranks)))


def measure(encoder: Encoder, sets: Mapping[str, Captions]) -> dict[str, Recall]:
    """All sets, and the halves of Flickr8k."""
    parts = dict(sets)
    if HALVES in sets:
        tuned, rest = halves(sets[HALVES])
        parts |= {f"{HALVES}, half for tuning": tuned, f"{HALVES}, other half": rest}
    return {name: recall(encoder, captions) for name, captions in parts.items()}


def table(measured: Mapping[str, Mapping[str, Recall]]) -> str:
    """Markdown: a row per encoder and set, shares in %."""
    lines = ["| encoder | captions | pictures | R@1 | R@5 | R@10 | median rank |", "|---|---|---:|---:|---:|---:|---:|"]
    for encoder, sets in measured.items():
        for name, each in sets.items():
            shares = " | ".join(f"{100 * share:.1f}" for share in (each.at_1, each.at_5, each.at_10))
            lines.append(f"| {encoder} | {name} | {each.pictures:,} | {shares} | {each.median:.0f} |")
    return "\n".join(lines)


def readers(root: Path) -> list[Encoder]:
    """The encoders under ``root`` that read words; the default one is made where there is none."""
    for name in DEFAULTS:
        if name not in folders(root):
            make(name, root)
    return [encoder for encoder in (load(root, name) for name in folders(root)) if encoder.knows_words]


def main(arguments: Sequence[str]) -> None:
    data = Path(arguments[0] if arguments else "../shared/data")
    root = Path(os.environ.get("IMAGESITE_DATA", "var")) / "models"
    sets = caption_sets(data)
    text = "\n\n".join(
        [
            "# Words",
            "Made by `python -m benchmarks.text`: each picture's first caption, asked of all pictures of its set.",
            table({encoder.name: measure(encoder, sets) for encoder in readers(root)}),
        ]
    )
    print(text)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
