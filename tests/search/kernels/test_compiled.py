from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from search.kernels import compiled, hamming
from search.kernels.compiled import SOURCES, digest_of, kernel_files

DECORATORS = {"compiled", "entry", "summed_freely"}


def has_kernels(path: Path) -> bool:
    """Whether a function of this file is compiled together with others, by the names of its decorators."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    decorators = [one.func if isinstance(one, ast.Call) else one for each in functions for one in each.decorator_list]
    return any(isinstance(one, ast.Name) and one.id in DECORATORS for one in decorators)


WITH_KERNELS = [path.relative_to(SOURCES) for path in sorted(SOURCES.rglob("*.py")) if has_kernels(path)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of all sources that may be changed."""
    return shutil.copytree(SOURCES, tmp_path / "search", ignore=shutil.ignore_patterns("__pycache__"))


def test_kernels_are_where_they_are_looked_for() -> None:
    rooms = {path.parts[0] for path in WITH_KERNELS}
    assert {"kernels", "keypoints", "indexes"} <= rooms
    assert {path.parts[1] for path in WITH_KERNELS if path.parts[0] == "indexes"} == {"hnsw", "mih", "vptree"}


def test_a_copy_of_the_sources_has_the_same_key(copy: Path) -> None:
    assert digest_of(copy) == compiled.sources_digest() != ""


@pytest.mark.parametrize("path", WITH_KERNELS, ids=str)
def test_a_changed_kernel_changes_the_key(path: Path, copy: Path) -> None:
    before = digest_of(copy)
    with (copy / path).open("a") as file:
        file.write("\n# changed\n")
    assert digest_of(copy) != before


def test_a_change_elsewhere_keeps_the_key(copy: Path) -> None:
    before = digest_of(copy)
    with (copy / "exceptions.py").open("a") as file:
        file.write("\n# changed\n")
    assert digest_of(copy) == before


def test_without_kernels_there_is_nothing_to_compute_a_key_from(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("# search.kernels.compiled is only mentioned\n")
    assert kernel_files(tmp_path) == []


def test_compiled_code_is_kept_under_the_key() -> None:
    dispatcher: object = hamming.distances
    assert f"kernels-{compiled.sources_digest()}" in str(vars(dispatcher)["_cache"].cache_path)
