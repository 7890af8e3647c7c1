"""Templates are readable, and no text stands in them or in a script where makemessages does not see it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
# The admin and the page of the API are English.
PAGES = [
    path
    for path in sorted((ROOT / "templates").rglob("*.html"))
    if not {"admin", "api_docs.html", "admin_maps.html"} & set(path.parts)
]
NAMES = {"API", "SHA", "https"}  # the same in every language
SEEN = ("alt", "aria-label", "placeholder", "title", "aria-roledescription")
# What is translated, what is no text, and the class of a page's body.
TAGS = re.compile(
    r"\{% block page %\}.*?endblock %\}|\{% blocktranslate.*?endblocktranslate %\}|\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}",
    re.DOTALL,
)
QUOTED = r'"(?:[^"\\\n]|\\.)*"'
WORD = re.compile(r"[^\W\d_]{2,}")


class Words(HTMLParser):
    """Collects the words that a visitor would read."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        for name, value in attrs:
            if name in SEEN:
                self.found |= set(WORD.findall(value or ""))

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"code", "kbd", "script"}:
            self.found |= set(WORD.findall(data))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_says_nothing_that_is_not_marked(path):
    words = Words()
    words.feed(TAGS.sub("", path.read_text()))
    assert words.found - NAMES == set()


@pytest.mark.parametrize("path", sorted((ROOT / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_a_template_is_read_without_scrolling_sideways(path):
    assert [line for line in path.read_text().splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("path", sorted((ROOT / "static").rglob("*.js")), ids=lambda path: path.name)
def test_a_script_says_nothing_that_is_not_marked(path):
    code = re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
    # Errors and warnings are for whoever looks into the browser's console.
    allowed = re.compile(rf"\b(?:n?gettext|Error|console\.warn)\({QUOTED}(?:, {QUOTED})?")
    assert [text for text in re.findall(QUOTED, allowed.sub("", code)) if re.match(r'"[A-Z][^"]* ', text)] == []
