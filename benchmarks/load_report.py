"""The report of `make bench-load`, which several programs write a section each of."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.sections import put_section

RESULTS = Path(__file__).parent / "results" / "load.md"
HEAD = f"""# Load

Made by `make bench-load` on {os.cpu_count()} shared cores, which the programs that ask use too."""


def put(title: str, text: str) -> None:
    put_section(RESULTS, HEAD, title, text)
