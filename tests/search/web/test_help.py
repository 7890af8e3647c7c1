"""The page that tells which way of searching finds what."""

from pathlib import Path

import pytest
from django.conf import settings

from search.methods import METHODS
from search.web import quality_report
from tests.support.pages import text

SPACES_AS_ROWS = """# Quality

## The original of an edited picture: recall@1 / recall@10, in %

150 pictures.

|  | crop 80% | mean |
| --- | ---: | ---: |
| **phash** | 42 / 54 | 73.1 / 75.1 |
| a peer | 1 / 2 | 3 / 4 |
| **color** | 100 / 100 | 94.1 / 97.5 |
"""
EDITS_AS_ROWS = """## Edited pictures: the original of an edited picture

| edit | phash | color | all |
| --- | ---: | ---: | ---: |
| crop 80% | 42.0 | 100 | **100** |
"""


def test_a_table_is_read_whichever_way_it_lies(tmp_path):
    file = tmp_path / "quality.md"
    file.write_text(SPACES_AS_ROWS)
    found = quality_report.edits(file, ["phash", "color", "all"])
    assert found == quality_report.Edits(
        ("phash", "color"), (("crop 80%", (42, 100)), ("mean", (73.1, 94.1))), "150 pictures."
    )
    file.write_text(EDITS_AS_ROWS)
    assert quality_report.edits(file, ["phash", "all"]).rows == (("crop 80%", (42, 100)),)


def test_where_nothing_was_measured_nothing_is_told(tmp_path):
    file = tmp_path / "quality.md"
    assert quality_report.edits(file, METHODS) is None
    file.write_text("# Quality\n\n## Other things\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert quality_report.edits(file, METHODS) is None


@pytest.mark.django_db
def test_the_page_shows_what_the_benchmark_wrote(client):
    page = text(client.get("/help/"))
    found = quality_report.edits(Path(settings.BASE_DIR, "benchmarks/results/quality.md"), METHODS)
    assert found
    assert all(edit in page for edit, _ in found.rows)
    assert "Perceptual hash" in page
