"""200 photographs of 12 megapixels at once: how many are taken, with how much memory, and how late searches are."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from benchmarks.extract import enlarged
from benchmarks.load_site import HERE, Served
from benchmarks.speed import table

UPLOADS = 200
MB = 1_000_000


class Watch:
    """Asks for similar pictures, one after the other, and notes the memory of the web server meanwhile."""

    def __init__(self, served: Served, ids: list[int]) -> None:
        self.served, self.ids = served, ids
        self.took, self.statuses, self.most = list[float](), Counter[int](), 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._search), threading.Thread(target=self._weigh)]

    def _search(self) -> None:
        connection = HTTPConnection(HERE, self.served.port, timeout=120)
        for key in self.ids:
            if self._over.is_set():
                return
            started = time.perf_counter()
            connection.request("GET", f"/api/images/{key}/similar/?method=color")
            answer = connection.getresponse()
            answer.read()
            self.took.append(1000 * (time.perf_counter() - started))
            self.statuses[answer.status] += 1

    def _weigh(self) -> None:
        while not self._over.wait(0.1):
            self.most = max(self.most, self.served.resident("web"))

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def flood(served: Served, data: Path) -> str:
    """The section of the report. Raises RuntimeError if anything is answered that should not be."""
    listed = json.loads((data / "load.json").read_text())
    photo = enlarged([Path(listed["files"][0])], data)[0].read_bytes()
    calm, before = _calm(served, listed["ids"]), served.resident("web")
    started = time.perf_counter()
    with Watch(served, listed["ids"][1_000:]) as watch, ThreadPoolExecutor(UPLOADS) as visitors:
        numbered = (photo + i.to_bytes(4, "big") for i in range(UPLOADS))
        came = list(visitors.map(lambda one: _upload(served, one, listed["token"]), numbered))
    took = time.perf_counter() - started
    statuses = Counter(came)
    if set(statuses) - {201, 429} or set(watch.statuses) != {200}:
        raise RuntimeError(f"uploads: {statuses}; searches: {watch.statuses}")
    rows = [("before", *_percentiles(calm)), ("in the flood", *_percentiles(watch.took))]
    return (
        f"{UPLOADS} JPEGs of 12 megapixels ({len(photo) / MB:.1f} MB each) at once: {statuses[201]} were answered with "
        f"201, {statuses[429]} with 429, all within {took:.1f} s. Memory of the web server (PSS): {before // MB} MB, "
        f"then at most {watch.most // MB}. Searches for similar pictures meanwhile were all answered:\n\n"
        + table(("searches by `color`", "p50 ms", "p99 ms", "requests"), rows)
    )


def _calm(served: Served, ids: list[int]) -> list[float]:
    with Watch(served, ids[:500]) as watch:
        watch._threads[0].join()
    return watch.took


def _percentiles(took: list[float]) -> tuple[str, str, str]:
    p50, p99 = np.percentile(took, (50, 99))
    return f"{p50:.0f}", f"{p99:.0f}", f"{len(took):,}"


def _upload(served: Served, data: bytes, token: str) -> int:
    head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="photo.jpg"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=cut", "Authorization": f"Token {token}"}
    connection = HTTPConnection(HERE, served.port, timeout=120)
    connection.request("POST", "/api/images/", head + data + b"\r\n--cut--\r\n", headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status
