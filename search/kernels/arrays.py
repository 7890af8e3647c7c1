"""Named arrays in a folder: saving is writing .npy files, loading is mapping them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.exceptions import SnapshotDamaged


def save_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write each array to ``<name>.npy``."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_arrays(folder: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    """Map the arrays; what is written to them stays in memory, page by page. Raises ``SnapshotDamaged``."""
    try:
        return [_mapped(folder / f"{name}.npy") for name in names]
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise SnapshotDamaged("index_unreadable", detail=error) from error


def _mapped(path: Path) -> NDArray[Any]:
    # An empty array cannot be mapped.
    if path.stat().st_size <= 128:
        return np.asarray(np.load(path, allow_pickle=False))
    return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
