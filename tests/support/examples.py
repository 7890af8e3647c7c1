"""The worked examples of CONTRIBUTING.md, as modules."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

from tests.support.paths import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()
FILE = re.compile(r"One file, `(\S+)/(\w+)\.py`.*?^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r'^    "([\w-]+)": \(?(?:"([^"]+)", )?"(\S+)\.(\w+)\.(\w+)"\)?,$', re.MULTILINE)


def written(folder: str, to: Path) -> ModuleType:
    """The module that the example for a folder adds, written to another folder, which Python must look in."""
    name, code = next((name, code) for where, name, code in FILE.findall(TEXT) if where == folder)
    (to / f"example_{name}.py").write_text(code)
    return import_module(f"example_{name}")


def line(module: ModuleType) -> tuple[str, str, str]:
    """Name, label ("" in a table without) and dotted path of the line that an example adds to a table."""
    own = module.__name__.removeprefix("example_")
    name, label, attribute = next((row[0], row[1], row[4]) for row in LINE.findall(TEXT) if row[3] == own)
    return name, label, f"{module.__name__}.{attribute}"
