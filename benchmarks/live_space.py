"""The space that benchmarks of live indexes fill and change."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SPACE = "color"
K = 10
Row = tuple[str, ...]
Rows = np.ndarray[Any, Any]


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def put(keys: Rows, rows: Rows) -> None:
    """Store features as the program does, without pictures."""
    from django.db import transaction

    from search.methods import get_method
    from search.methods.color import STEPS
    from search.models import Feature, Space

    Space.objects.get_or_create(pk=SPACE)
    stored = np.clip(np.rint(rows * STEPS), -127, 127).astype(np.int8)
    with transaction.atomic():
        space = Space.objects.select_for_update().get(pk=SPACE)
        first, version = space.head + 1, get_method(SPACE).version
        space.advance(len(keys))
        Feature.objects.bulk_create(
            [
                Feature(space=space, version=version, image_id=key, data=row.tobytes(), sequence=first + i)
                for i, (key, row) in enumerate(zip(keys.tolist(), stored, strict=True))
            ],
            batch_size=2_000,
        )


def build_elsewhere() -> None:
    """In another process, as the workers do."""
    command = [sys.executable, "manage.py", "build_index", "--space", SPACE]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
