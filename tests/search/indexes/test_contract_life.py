"""An exact index stays right whatever is done to it, in any order."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from search.types import Features
from tests.support.indexes import EXACT_PAIRS, Kind, assert_same, expected


class ExactIndexLife(RuleBasedStateMachine):
    """Any order of calls leaves an exact index equal to a dict that is searched by hand."""

    kind: Kind

    @initialize(seed=st.integers(0, 2**32 - 1), spread=st.sampled_from([2, 40, 10_000]))
    def start(self, seed: int, spread: int) -> None:
        self.random = np.random.default_rng(seed)
        self.index = self.kind.empty()
        self.truth: dict[int, Features] = {}
        # A small pool makes equal features, and so ties, common.
        self.pool = self.kind.features(spread, seed=seed)

    @rule(count=st.integers(1, 400), keys=st.sampled_from([30, 2000]))
    def add(self, count: int, keys: int) -> None:
        chosen = self.random.integers(0, keys, count)
        rows = self.pool[self.random.integers(0, len(self.pool), count)]
        self.index.add(chosen, rows)
        self.truth.update(zip(chosen.tolist(), rows, strict=True))

    @rule(share=st.sampled_from([0.02, 0.5, 0.95, 1.0]))
    def remove(self, share: float) -> None:
        chosen = [key for key in [*self.truth, -3] if self.random.random() <= share]
        self.index.remove(np.array(chosen, np.int64))
        for key in chosen:
            self.truth.pop(key, None)

    @rule()
    def save_and_load(self) -> None:
        with TemporaryDirectory() as folder:
            self.index.save(Path(folder))
            self.index = self.kind.load(Path(folder))

    @rule(k=st.integers(1, 60), known=st.booleans())
    def search(self, k: int, known: bool) -> None:
        query, right = self.question(known)
        assert_same(self.index.search(query, k), right[:k])

    @rule(k=st.integers(1, 60), known=st.booleans(), share=st.sampled_from([0.0, 0.01, 0.3, 1.0]))
    def search_among_some(self, k: int, known: bool, share: float) -> None:
        query, right = self.question(known)
        allowed = np.flatnonzero(self.random.random(2000) < share)
        chosen = set(allowed.tolist())
        assert_same(self.index.search(query, k, allowed), [pair for pair in right if pair[1] in chosen][:k])

    @rule(place=st.floats(0, 1), known=st.booleans())
    def within(self, place: float, known: bool) -> None:
        query, right = self.question(known)
        # Between two distances, so that float rounding cannot move a row over the edge.
        radius = right[int(place * (len(right) - 1))][0] + 1e-4 if right else 1.0
        assert_same(self.index.within(query, radius), [pair for pair in right if pair[0] <= radius])

    @invariant()
    def has_the_right_keys(self) -> None:
        assert len(self.index) == len(self.truth)
        assert self.index.keys().tolist() == sorted(self.truth)

    def question(self, known: bool) -> tuple[Features, list[tuple[float, int]]]:
        query = self.pool[0] if known else self.kind.features(1, seed=int(self.random.integers(10**6)))[0]
        keys = np.array(list(self.truth), np.int64)
        rows = np.array(list(self.truth.values()), self.pool.dtype).reshape(-1, self.kind.dimension)
        return query, expected(self.kind.metric, query, keys, rows)


@pytest.mark.parametrize("pair", EXACT_PAIRS, ids="-".join)
def test_an_exact_index_stays_right_whatever_is_done_to_it(pair: tuple[str, str]) -> None:
    machine = type("Life", (ExactIndexLife,), {"kind": Kind(*pair)})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))
