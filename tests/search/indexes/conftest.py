"""Index classes to run a test over."""

from __future__ import annotations

import pytest

from tests.support.indexes import PAIRS, Kind


@pytest.fixture(params=PAIRS, ids="-".join)
def kind(request: pytest.FixtureRequest) -> Kind:
    if request.param[0] == "milvus":
        request.getfixturevalue("milvus_at_once")
    return Kind(*request.param)
