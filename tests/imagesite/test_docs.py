"""README tells of everything that there is."""

from __future__ import annotations

import re

import pytest
from django.core.management import get_commands

from search.indexes import INDEXES
from search.methods import METHODS
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()
VARIABLES = re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "imagesite" / "settings.py").read_text())
OWN_COMMANDS = [
    name for name, app in get_commands().items() if app.partition(".")[0] in {"imagesite", "gallery", "search"}
]
TARGETS = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


def table_of(heading: str) -> set[str]:
    """First words of the rows below a table's heading."""
    rows = README.split(f"| {heading} |")[1].split("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)", rows, re.MULTILINE))


def test_the_lists_that_are_compared_are_not_empty():
    assert {"IMAGESITE_DATA", "DATABASE_URL", "CELERY_BROKER_URL"} <= set(VARIABLES)
    assert {"serve", "import_images", "build_index"} <= set(OWN_COMMANDS)
    assert {"run", "test"} <= set(TARGETS)


def test_every_setting_is_explained_and_no_other():
    assert table_of("variable") == set(VARIABLES)


def test_every_method_is_explained_and_no_other():
    assert table_of("method") == {*METHODS, "all"}


def test_every_index_is_explained_and_no_other():
    assert table_of("index") == set(INDEXES)


def test_every_command_is_explained_and_no_other():
    assert table_of("command") == {*OWN_COMMANDS, "drf_create_token"}


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "help"])
def test_every_target_of_make_is_named(target):
    assert f"make {target}" in README


FILES = re.findall(r"`((?:gallery|search|imagesite|tests|\.ci)/[\w/.]*|[\w-]+\.txt)`", README)


@pytest.mark.parametrize("path", sorted(set(FILES)))
def test_files_that_it_names_exist(path):
    assert (ROOT / path).exists()
