"""The page that says which method finds what."""

import json

import numpy as np
import pytest
from django.conf import settings

from benchmarks import quality as benchmark
from search.methods import ALL, METHODS
from search.web import quality_report
from search.web.help_views import RESULTS
from tests.support.pages import text

FIGURES = settings.BASE_DIR / RESULTS
EDITS = {"crop 80%": [(42.0, 54.0), (100.0, 100.0), (100.0, 100.0)], "mean": [(73.1, 75.1), (94.1, 97.5), (99.0, 99.9)]}


@pytest.fixture
def written(tmp_path):
    """A file as the benchmark writes it, of two spaces."""
    sets = np.array(["caltech", "caltech", "corel"])
    file = tmp_path / "quality.json"
    file.write_text(benchmark.figures(benchmark.Collection(sets, sets, np.arange(2)), ["phash", "color"], EDITS))
    return file


def test_what_the_benchmark_writes_is_read(written):
    assert quality_report.read(written, ["phash", "color", "all"]) == quality_report.Quality(
        ("phash", "color", "all"), (("crop 80%", (42, 100, 100)), ("mean", (73.1, 94.1, 99.0))), edited=2, among=3
    )


def test_methods_that_were_not_measured_have_no_column_and_unknown_ones_neither(written):
    quality = quality_report.read(written, ["local", "color"])
    assert quality
    assert quality.columns == ("color",)
    assert quality.rows[0] == ("crop 80%", (100,))


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"edits": [{}]}', '{"edited": 1, "among": 2, "edits": []}'])
def test_where_nothing_was_measured_nothing_is_shown(tmp_path, damage):
    file = tmp_path / "quality.json"
    assert quality_report.read(file, METHODS) is None
    file.write_text(damage)
    assert quality_report.read(file, METHODS) is None


def test_the_figures_are_those_of_the_report():
    """Both are written by one run of the benchmark; whoever edits one of them by hand is found."""
    figures = json.loads(FIGURES.read_text())
    names = [*figures["edits"][0]["recall_at_1"]]
    rows = [
        [
            f"**{row['edit']}**" if row["edit"] == benchmark.MEAN else row["edit"],
            *(benchmark.cell((row["recall_at_1"][name], row["recall_at_10"][name])) for name in names),
        ]
        for row in figures["edits"]
    ]
    report = benchmark.REPORT.read_text()
    assert benchmark.table(["", *names], rows) in report
    assert f"{figures['edited']} pictures, each edited in every way, among {figures['among']:,}" in report
    assert set(names) <= {*METHODS, ALL}


@pytest.mark.django_db
def test_the_page_shows_what_the_benchmark_wrote(client):
    page = text(client.get("/help/"))
    quality = quality_report.read(FIGURES, METHODS)
    assert quality
    assert all(str(edit) in page for edit, _ in quality.rows)
    assert f"{quality.edited} pictures" in page
    assert "Copies" in page
