"""What a request to the HTTP API costs beside a bare query of hnswlib, both asked in turns for the same pictures."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any

import numpy as np

from benchmarks.live_space import ROOT, K, Row, Rows

HERE = "127.0.0.1"
ALLOWED_MS, ALLOWED_TIMES = 1.0, 2.0
COLUMNS = ("what", "p50 ms", "p95 ms", "recall@10")


def put_pictures(count: int) -> None:
    """Pictures without files, each with two of 50 tags."""
    from gallery.models import Image, Tag

    tags = Tag.objects.bulk_create([Tag(name=f"tag {i}") for i in range(50)])
    Image.objects.bulk_create(
        [
            Image(pk=key, sha256=f"{key:064x}", format="JPEG", bytes=10**6, width=1500, height=1000, thumbnailed=True)
            for key in range(count)
        ],
        batch_size=2_000,
    )
    Image.tags.through.objects.bulk_create(
        [
            Image.tags.through(image_id=key, tag_id=tags[(key * step) % 50].pk)
            for key in range(count)
            for step in ((1, 7) if key % 50 else (1,))
        ],
        batch_size=10_000,
        ignore_conflicts=True,
    )


@contextmanager
def serving() -> Iterator[HTTPConnection]:
    """A connection that stays open to one process of the web server, started as ``manage.py serve`` starts it."""
    from imagesite.management.commands.serve import answers
    from imagesite.webserver import web_command

    with socket.socket() as probe:
        probe.bind((HERE, 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(web_command(HERE, port, 1), cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not answers(HERE, port):
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError("The web server did not start.")
            time.sleep(0.1)
        connection = HTTPConnection(HERE, port, timeout=60)
        yield connection
        connection.close()
    finally:
        server.terminate()
        server.wait()


def similar(connection: HTTPConnection, picture: int) -> list[int]:
    connection.request("GET", f"/api/images/{picture}/similar/?method=color&limit={K}")
    answer = connection.getresponse()
    body = json.loads(answer.read())
    if answer.status != 200 or body["skipped"]:
        raise RuntimeError(f"The API answered with {answer.status}: {body}")
    return [one["image"]["id"] for one in body["results"]]


def nearest_others(rows: Rows, picture: int) -> float:
    """The squared distance of the last right answer."""
    squares = ((rows - rows[picture]) ** 2).sum(axis=1)
    squares[picture] = np.inf
    return float(np.partition(squares, K - 1)[K - 1])


def bench_api(rows: Rows, graph: Any, asked: int = 500) -> list[Row]:
    """``rows[i]`` is picture ``i``'s; ``graph`` is hnswlib's, whose first K + 1 are the picture and its answers."""
    put_pictures(len(rows))
    dice = np.random.default_rng(11)
    pictures = dice.choice(len(rows), asked, replace=False).tolist()
    took: dict[str, list[float]] = {"bare": [], "api": []}
    found: dict[str, list[list[int]]] = {"bare": [], "api": []}
    with serving() as connection:
        for picture in pictures[:50]:
            similar(connection, picture)
        for picture in pictures:
            started = time.perf_counter()
            places = graph.knn_query(rows[picture], k=K + 1, num_threads=1)[0][0]
            between = time.perf_counter()
            answer = similar(connection, picture)
            took["api"].append(time.perf_counter() - between)
            took["bare"].append(between - started)
            found["api"].append(answer)
            found["bare"].append([place for place in places.tolist() if place != picture][:K])
    return table_of(rows, pictures, took, found)


def table_of(
    rows: Rows, pictures: list[int], took: dict[str, list[float]], found: dict[str, list[list[int]]]
) -> list[Row]:
    checked = pictures[:100]
    edges = [nearest_others(rows, picture) + 1e-5 for picture in checked]

    def recall(keys: list[list[int]]) -> float:
        hits = [
            (((rows[some] - rows[picture]) ** 2).sum(axis=1) <= edge).sum() / K
            for picture, edge, some in zip(checked, edges, keys, strict=False)
        ]
        return float(np.mean(hits))

    lines = []
    for name, shown in (("bare", "hnswlib.knn_query"), ("api", "GET /api/images/…/similar/")):
        p50, p95 = (1000 * float(np.percentile(took[name], share)) for share in (50, 95))
        lines.append((shown, f"{p50:.2f}", f"{p95:.2f}", f"{recall(found[name]):.3f}"))
    allowed = ALLOWED_MS + ALLOWED_TIMES * float(lines[0][1])
    return [*lines, (f"allowed: {ALLOWED_MS:g} ms + {ALLOWED_TIMES:g} times the bare query", f"{allowed:.2f}", "", "")]
