"""Image encoders that are made in an instant: random sums of a very small picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from search.encoders.folder import Folder, write_folder
from search.encoders.graph import Graph
from search.encoders.preprocessing import Preprocessing

SIDE = 8
SEEN = Preprocessing(SIDE, SIDE, fit="squash", mean=(0.5, 0.5, 0.5))


def make(
    root: Path, seed: int, dimension: int = 32, name: str = "tiny", claimed: int = 0, kind: str = "image"
) -> Folder:
    """The encoder of a seed takes the place of the one that had the name; ``claimed``: the dimension it says it has."""

    def fill(folder: Path) -> dict[str, Any]:
        sums = np.random.default_rng(seed).normal(size=(3 * SIDE * SIDE, dimension)).astype(np.float32)
        graph = Graph()
        flat = graph.node("Flatten", "pixels")
        rows = graph.node("MatMul", flat, graph.constant(sums))
        shape = ("n", 3, SIDE, SIDE)
        graph.save(folder / "image.onnx", {"pixels": (np.float32, shape)}, ("features", rows, ("n", dimension)))
        return {
            "label": "Random sums",
            "kind": kind,
            "origin": "drawn",
            "weights_sha256": "",
            "licence": "CC0",
            "dimension": claimed or dimension,
            "words": False,
            "score": {"pictures": [0.5, 0.1]},
            "preprocessing": SEEN.as_meta(),
        }

    return write_folder(root, name, fill)
