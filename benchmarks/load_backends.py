"""The same site with its indexes in the web server and in Milvus: how long a request takes, and what it answers.

``python -m benchmarks.load backends --data FOLDER`` works on a copy of the folder, so that others find it as it was.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load_site import HERE, Served, serving
from benchmarks.milvus import PROBES, resident
from benchmarks.speed import table
from tests.support.milvus_server import MilvusServer

HEADER = ("method", "indexes", "p50 ms", "p95 ms", "as near")
KINDS = ("phash", "color", "neural", "semantic", "all")
K = 10
ASKED = 300
WARM = 30
PATIENCE = 1_200.0  # seconds for Milvus to be filled
Distances = list[list[float]]


def backends(data: Path) -> str:
    """The section of the report."""
    listed = json.loads((data / "load.json").read_text())
    asked = np.random.default_rng(13).choice(listed["real"], ASKED, replace=False).tolist()
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name)
        shutil.copytree(data, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("media", "queue"))
        (copy / "media").symlink_to((data / "media").resolve())
        at_home = _measured(copy, asked)
        with _milvus() as server:
            away, filled, memory = _measured_away(copy, asked, server)
    lines = [
        (kind, where, *(f"{np.percentile(took, share):.1f}" for share in (50, 95)), near)
        for kind in KINDS
        for where, took, near in (
            ("in the process", at_home[kind][0], ""),
            ("Milvus", away[kind][0], f"{_as_near(away[kind][1], at_home[kind][1]):.3f}"),
        )
    ]
    return (
        f"`GET /api/images/N/similar/` for {ASKED} stored pictures, one at a time, of one process; the {K} nearest. "
        f"Milvus 2.3.5, standalone, on the same machine: {filled:.0f} s until it had every feature of all spaces but "
        f"`local`, which stays in the process, and had indexed them; {memory} MB then. As near: the share of its "
        f"answers that are at least as near as the last of those from the process.\n\n{table(HEADER, lines)}"
    )


@contextmanager
def _milvus() -> Iterator[MilvusServer]:
    server = MilvusServer(PROBES)
    try:
        os.environ |= {"INDEX_BACKEND": "milvus", "MILVUS_URI": server.uri}
        yield server
    finally:
        os.environ.pop("INDEX_BACKEND", None)
        os.environ.pop("MILVUS_URI", None)
        server.stop()


def _measured_away(
    data: Path, asked: list[int], server: MilvusServer
) -> tuple[dict[str, tuple[list[float], Distances]], float, int]:
    with serving(data, 1) as served:
        filled = _filled(served)
        return _ask_all(served, asked), filled, resident(server)


def _measured(data: Path, asked: list[int]) -> dict[str, tuple[list[float], Distances]]:
    with serving(data, 1) as served:
        return _ask_all(served, asked)


def _ask_all(served: Served, asked: list[int]) -> dict[str, tuple[list[float], Distances]]:
    """By method: milliseconds of each request, and the distances in each answer."""
    connection = HTTPConnection(HERE, served.port, timeout=120)
    found: dict[str, tuple[list[float], Distances]] = {}
    for kind in KINDS:
        for picture in asked[:WARM]:
            _similar(connection, picture, kind)
        answers = [_timed(connection, picture, kind) for picture in asked]
        found[kind] = [took for took, _ in answers], [distances for _, distances in answers]
    return found


def _timed(connection: HTTPConnection, picture: int, kind: str) -> tuple[float, list[float]]:
    started = time.perf_counter()
    answer = _similar(connection, picture, kind)
    return 1000 * (time.perf_counter() - started), [one["distance"] for one in answer["results"]]


def _similar(connection: HTTPConnection, picture: int, kind: str) -> Any:
    answer = _get(connection, f"/api/images/{picture}/similar/?method={kind}&limit={K}")
    if answer["skipped"].keys() - {"local"}:  # which has nothing to say of flat pictures
        raise RuntimeError(f"Not all spaces answered: {answer['skipped']}")
    return answer


def _get(connection: HTTPConnection, address: str) -> Any:
    connection.request("GET", address)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{address}: {answer.status} {body[:500]!r}")
    return json.loads(body)


def _filled(served: Served) -> float:
    """Seconds until Milvus has got, and indexed, what the process had."""
    started, connection = time.monotonic(), HTTPConnection(HERE, served.port, timeout=120)
    while not all(_is_away(space) for space in _get(connection, "/api/spaces/")["results"] if space["space"] in KINDS):
        if time.monotonic() - started > PATIENCE:
            raise RuntimeError("Milvus does not get everything.")
        time.sleep(1)
    return time.monotonic() - started


def _is_away(space: dict[str, Any]) -> bool:
    snapshot = space["snapshot"]
    return bool(space["index"] == "milvus" and snapshot and not snapshot["problem"] and not space["tail"])


def _as_near(found: Distances, right: Distances) -> float:
    shares = [np.mean(np.array(some) <= max(best) + 1e-4) for some, best in zip(found, right, strict=True)]
    return float(np.mean(shares))
