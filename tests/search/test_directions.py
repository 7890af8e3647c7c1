"""Rooms that are mathematics only; import-linter holds the other directions."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import search

ROOT = Path(search.__file__).parent
PURE = ("kernels", "keypoints", "indexes", "methods", "encoders")
MODULES = ["search.exceptions", "search.types", "search.retrieval.fusion"]

IMPORT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("django", "gallery", "imagesite"):
            raise AssertionError(f"{name} was imported")

sys.meta_path.insert(0, Refuse())
for module in sys.argv[1:]:
    __import__(module)
"""


def modules_of(room: str) -> list[str]:
    """Every module of a room; those that need PyTorch import it when they are used."""
    paths = sorted((ROOT / room).rglob("*.py"))
    names = [".".join(path.relative_to(ROOT.parent).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("modules", [MODULES, *map(modules_of, PURE)], ids=["values", *PURE])
def test_a_pure_room_is_imported_without_django(modules: list[str]) -> None:
    assert modules
    run = subprocess.run([sys.executable, "-c", IMPORT, *modules], cwd=ROOT.parent, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
