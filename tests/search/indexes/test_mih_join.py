from __future__ import annotations

import numpy as np
import pytest

from search.indexes.mih.join import HammingJoin, Near
from search.types import Features

RADIUS = 31


def hashes(count: int, seed: int = 0) -> Features:
    """Random rows of 256 bits; every third is a near copy of the one before."""
    dice = np.random.default_rng(seed)
    rows = dice.integers(0, 2**64, (count, 4), dtype=np.uint64)
    rows[2::3] = rows[1::3][: len(rows[2::3])] ^ np.uint64(0b1011)
    return rows


def pairs(near: Near) -> set[tuple[int, int, int]]:
    return set(zip(near.queries.tolist(), near.rows.tolist(), near.distances.tolist(), strict=True))


def by_hand(queries: Features, rows: Features) -> set[tuple[int, int, int]]:
    """Query, row and bits that differ, of all that are near."""
    apart = np.bitwise_count(queries[:, :, np.newaxis] ^ rows).sum(axis=3)
    numbers, forms, found = np.nonzero(apart <= RADIUS)
    return set(zip(numbers.tolist(), found.tolist(), apart[numbers, forms, found].tolist(), strict=True))


@pytest.mark.parametrize("count", [1, 2, 7, 3000])
def test_rows_are_joined_with_themselves_as_by_hand(count: int) -> None:
    rows = hashes(count)
    assert pairs(HammingJoin(rows).near(rows[:, np.newaxis], RADIUS, most=5)) == by_hand(rows[:, np.newaxis], rows)


def test_a_row_is_found_by_any_form_of_a_query() -> None:
    rows, others = hashes(500), hashes(500, seed=1)
    queries = np.stack([others, rows ^ np.uint64(1)], axis=1)
    near = HammingJoin(rows).near(queries, RADIUS, most=5)
    assert pairs(near) == by_hand(queries, rows)
    assert set(range(500)) <= set(near.rows[near.queries == near.rows].tolist())


def test_a_form_finds_at_most_so_many_rows() -> None:
    rows = np.repeat(hashes(1), 40, axis=0)
    near = HammingJoin(rows).near(rows[:2, np.newaxis], RADIUS, most=3)
    assert np.bincount(near.queries).tolist() == [3, 3]


def test_nothing_is_near_nothing() -> None:
    nothing = np.empty((0, 4), np.uint64)
    assert len(HammingJoin(nothing).near(hashes(3)[:, np.newaxis], RADIUS, most=5).rows) == 0
    assert len(HammingJoin(hashes(3)).near(nothing[:, np.newaxis], RADIUS, most=5).rows) == 0
