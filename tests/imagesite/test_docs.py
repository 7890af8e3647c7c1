"""The documentation names everything that there is, and leads nowhere that does not exist."""

from __future__ import annotations

import ast
import re

import pytest
import yaml
from django.core.management import get_commands
from drf_spectacular.generators import SchemaGenerator

from search.indexes import INDEXES
from search.methods import METHODS
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]}
API = PAGES["docs/api.md"]
VARIABLES = re.findall(r'\benv\.\w+\(\s*"(\w+)"', (ROOT / "imagesite" / "settings.py").read_text())
OWN_COMMANDS = [
    name for name, app in get_commands().items() if app.partition(".")[0] in {"imagesite", "gallery", "search"}
]
TARGETS = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def table_of(page: str, heading: str) -> set[str]:
    """First words of the rows below a table's heading."""
    rows = PAGES[page].split(f"| {heading} |")[1].split("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)", rows, re.MULTILINE))


def test_the_lists_that_are_compared_are_not_empty():
    assert {"IMAGESITE_DATA", "DATABASE_URL", "CELERY_BROKER_URL"} <= set(VARIABLES)
    assert {"serve", "import_images", "build_index"} <= set(OWN_COMMANDS)
    assert {"run", "test", "test-fast", "docs", "bench-quality"} <= set(TARGETS)


def test_every_setting_is_explained_and_no_other():
    assert table_of("docs/admin-guide.md", "variable") == set(VARIABLES)


def test_every_method_is_explained_and_no_other():
    assert table_of("docs/user-guide.md", "method") == {*METHODS, "all"}
    assert table_of("README.md", "method") == set(METHODS)


def test_every_index_is_explained_and_no_other():
    assert table_of("docs/admin-guide.md", "index") == set(INDEXES)


def test_every_command_is_explained_and_no_other():
    assert table_of("docs/admin-guide.md", "command") == {*OWN_COMMANDS, "drf_create_token"}


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "help"])
def test_every_target_of_make_is_named(target):
    assert any(re.search(rf"make {target}(?![\w-])", text) for text in PAGES.values())


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_target_that_it_names_exists(page):
    named = re.findall(r"(?:`|^)make ([a-z][\w-]*)", PAGES[page], re.MULTILINE)
    assert set(named) <= {*TARGETS, "help"}


def test_readme_begins_with_the_two_commands():
    first = CODE.search(README)
    assert first
    assert [line.partition(" #")[0].strip() for line in first[0].splitlines()[1:-1]] == ["make run", "make test"]


def test_readme_is_short():
    assert len(README.split()) <= 900


def operations() -> list[str]:
    """``METHOD /path/`` of every call of the API."""
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [
        f"{method.upper()} {re.sub('{.*?}', '{id}', path)}" for path, methods in paths.items() for method in methods
    ]


def example_of(operation: str) -> str:
    """The text of the section about a call."""
    return API.split(f"### `{operation}`\n")[1].split("\n### ")[0].split("\n## ")[0]


def test_every_call_of_the_api_is_shown_with_curl_and_python_and_no_other():
    named = re.findall(r"^### `(\w+ /api/\S+)`$", API, re.MULTILINE)
    assert sorted(named) == sorted([*operations(), "GET /api/schema/"])
    for operation in named:
        assert "```bash\ncurl " in example_of(operation), operation
        assert "```python\n" in example_of(operation), operation


@pytest.mark.parametrize("page", sorted(PAGES))
def test_examples_in_python_are_python(page):
    for example in re.findall(r"^```python\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL):
        ast.parse(example)


def links(text: str) -> list[str]:
    """Targets of links and pictures that are not addresses on the web."""
    found = re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", text))
    return [target for target in found if not re.match(r"\w+:", target)]


def anchors(text: str) -> set[str]:
    """What headings can be linked by, on the site and where repositories are shown."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_relative_link_resolves(page):
    for target in links(PAGES[page]):
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


NAMED = re.compile(
    r"`((?:gallery|search|imagesite|tests|templates|static|locale|docs|benchmarks|\.ci|\.github)/[\w/.-]*|requirements[\w-]*\.txt)`"
)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_files_that_it_names_exist(page):
    text = re.sub(r"(?:One file|A test), `[^`]+`", "", CODE.sub("", PAGES[page]))  # what an example adds
    for path in NAMED.findall(text):
        assert (ROOT / path).exists(), path


def test_public_ci_runs_what_must_pass_on_every_python():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])


def test_a_dead_link_fails_the_website():
    """A quiet mkdocs counts no warnings, so it would pass whatever is strict."""
    (command,) = re.findall(r"mkdocs build.*", (ROOT / "Makefile").read_text())
    assert "--strict" in command
    assert "--quiet" not in command
    assert "make docs" in (ROOT / ".ci" / "run").read_text()
