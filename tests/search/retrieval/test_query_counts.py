"""How often the database is asked: the rows of spaces are read once where a request or a task begins, and handed on.

The numbers are upper bounds: fewer queries are welcome.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gallery.services import delete_images
from search.features.extraction import extract
from search.jobs import reindexing
from search.jobs.sweeping import sweep
from search.methods import ALL, METHODS
from search.models import Job
from search.retrieval.engine import search
from search.retrieval.live import forget
from search.retrieval.queries import query_by_image, query_by_text
from search.snapshots import build
from tests.support.snapshots import add

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Counts:
    """Queries of all kinds, those that read rows of spaces, and UPDATEs of such rows."""

    queries: int
    reads: int = 1
    writes: int = 0

    def covers(self, other: Counts) -> bool:
        return self.queries >= other.queries and self.reads >= other.reads and self.writes >= other.writes


def counts_of(call: Callable[[], object]) -> Counts:
    with CaptureQueriesContext(connection) as captured:
        call()
    statements = [query["sql"] for query in captured]
    reads = sum(sql.startswith("SELECT") and 'FROM "search_space"' in sql for sql in statements)
    return Counts(len(statements), reads, sum(sql.startswith('UPDATE "search_space"') for sql in statements))


@pytest.fixture
def ids(db: None) -> list[int]:
    """Pictures that are in every snapshot; every space is loaded."""
    ids = [add(seed) for seed in range(4)]
    for space in METHODS:
        build.build(space)
    search(query_by_image(ids[0]))
    return ids


def test_a_build_reads_its_space_once_and_writes_it_once(ids: list[int]) -> None:
    assert Counts(5).covers(counts_of(lambda: build.build("phash")))
    add(4)
    assert Counts(13, writes=1).covers(counts_of(lambda: build.build("phash")))


@pytest.mark.parametrize(("method", "most"), [(ALL, 3), ("phash", 2), ("local", 3)])
def test_a_search_reads_all_spaces_at_once(method: str, most: int, ids: list[int]) -> None:
    counts = counts_of(lambda: search(query_by_image(ids[0], method), method=method))
    assert Counts(most).covers(counts)


def test_a_search_by_words_reads_the_spaces_and_nothing_else(ids: list[int]) -> None:
    assert Counts(1).covers(counts_of(lambda: search(query_by_text("a dog"))))


def test_catching_up_with_a_change_takes_three_queries_a_space(ids: list[int]) -> None:
    add(4)
    assert Counts(3 + 3 * len(METHODS)).covers(counts_of(lambda: search(query_by_image(ids[0]))))


def test_loading_a_space_takes_one_query_for_its_snapshots(ids: list[int]) -> None:
    forget()
    assert Counts(3).covers(counts_of(lambda: search(query_by_image(ids[0], "phash"), method="phash")))


@pytest.mark.parametrize(
    ("address", "most"),
    [
        ("/images/{}/", 9),
        ("/images/{}/?method=phash", 8),
        ("/api/images/{}/similar/", 6),
        ("/api/images/{}/similar/?method=color", 5),
        ("/api/images/{}/explain/?query={}", 2 + 4 * len(METHODS)),
        ("/api/search/text/?q=dog", 3),
        ("/api/spaces/", 1 + 5 * len(METHODS)),
    ],
)
def test_pages_and_answers_read_all_spaces_at_once(address: str, most: int, ids: list[int], client: Client) -> None:
    address = address.format(*ids)
    client.get(address)
    assert Counts(most).covers(counts_of(lambda: client.get(address)))


def test_the_admin_reads_the_rows_of_spaces_once(ids: list[int], client: Client, admin_user: User) -> None:
    client.force_login(admin_user)
    client.get("/admin/search/space/")
    # The admin itself counts the rows twice.
    assert Counts(5 + 5 * len(METHODS), reads=3).covers(counts_of(lambda: client.get("/admin/search/space/")))


def test_a_sweep_reads_all_spaces_at_once(ids: list[int]) -> None:
    assert Counts(11).covers(counts_of(sweep))


def test_a_job_without_work_reads_its_spaces_a_few_times(ids: list[int]) -> None:
    job = Job.objects.create(spaces=["phash"])
    assert Counts(21, reads=4).covers(counts_of(lambda: reindexing.advance(job.pk)))


def test_extraction_reads_all_spaces_at_once(ids: list[int]) -> None:
    assert Counts(3 + len(METHODS)).covers(counts_of(lambda: extract(ids)))


def test_deleting_locks_all_spaces_at_once(ids: list[int]) -> None:
    queries = 20 + 4 * len(METHODS) + (connection.vendor == "postgresql")
    assert Counts(queries, writes=len(METHODS)).covers(counts_of(lambda: delete_images(ids=[ids[3]])))
