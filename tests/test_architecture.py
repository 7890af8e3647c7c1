"""The shape of the code: how many modules lie together, how long files and functions are, what tests import."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

APPS = ("gallery", "search", "imagesite")
MOST_MODULES = 12  # directly in search/
MOST_LINES = 300  # of a file
MOST_FUNCTION_LINES = 40
# File -> why it may be longer.
LONG_FILES: dict[str, str] = {}  # with the reason


def modules(*folders: str) -> list[Path]:
    """Everything of the project that Python reads, without migrations, which Django writes."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """The name and the number of lines of every function in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            yield node.name, node.end_lineno - node.lineno + 1


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports, and what it imports from them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_search_has_at_most_twelve_modules_besides_its_rooms() -> None:
    found = {path.name for path in (ROOT / "search").glob("*.py")} - {"__init__.py"}
    assert len(found) <= MOST_MODULES, sorted(found)


@pytest.mark.parametrize("folder", [*APPS, "tests", "benchmarks"])
def test_no_file_is_longer_than_300_lines(folder: str) -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules(folder)}
    long = {name: length for name, length in lengths.items() if length > MOST_LINES}
    assert long.keys() == {name for name in LONG_FILES if name.startswith(f"{folder}/")}, long


@pytest.mark.parametrize("folder", [*APPS, "tests", "benchmarks"])
def test_no_function_is_longer_than_40_lines(folder: str) -> None:
    found = [(name_of(path), name, lines) for path in modules(folder) for name, lines in functions(path)]
    assert [one for one in found if one[2] > MOST_FUNCTION_LINES] == []


def test_no_test_module_imports_another() -> None:
    """What tests share is in tests/support or in a conftest."""
    found = [(name_of(path), name) for path in modules("tests", "benchmarks") for name in imports(path)]
    assert [one for one in found if ".test_" in f".{one[1]}" or ".conftest" in one[1]] == []


def test_the_apps_do_not_need_the_tests() -> None:
    assert [
        (name_of(path), name) for path in modules(*APPS) for name in imports(path) if name.startswith("tests")
    ] == []
