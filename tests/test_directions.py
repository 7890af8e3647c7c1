"""Each contract of pyproject.toml holds, and fails as soon as somebody breaks it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGES = ("gallery", "search", "imagesite")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")

# Contract -> a file, and the import that breaks the contract there.
BREACHES = {
    "apps": ("gallery/metadata.py", "from search.types import Keys"),
    "gallery": ("gallery/services/trash.py", "from gallery.web.errors import Refused"),
    "rooms": ("search/kernels/heap.py", "from search.methods import METHODS"),
    "pure": ("search/methods/color.py", "from django.conf import settings"),
    "door": ("search/snapshots/files.py", "from gallery.models import Image"),
    "indexes": ("search/indexes/mih/index.py", "from search.indexes.vptree.index import VPTreeIndex"),
    "methods": ("search/methods/color.py", "from search.methods.phash import PerceptualHash"),
    "circles": ("search/snapshots/files.py", "from search.snapshots.build import build"),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code and its contracts, to be broken."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def check(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What `make lint` runs, for the checkout at ``root``; files that have not changed are parsed once."""
    command = [str(LINT_IMPORTS), "--no-logo", *options]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def contracts() -> list[str]:
    """Ids of the contracts in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]]


def test_every_contract_holds(copied: Path) -> None:
    done = check(copied)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_contract_is_broken_once_below() -> None:
    assert sorted(BREACHES) == sorted(contracts())


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_noticed(contract: str, copied: Path) -> None:
    path, line = BREACHES[contract]
    file = copied / path
    text = file.read_text()
    file.write_text(f"{text}\n{line}\n")
    try:
        done = check(copied, "--contract", contract)
    finally:
        file.write_text(text)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
