"""Visitors of both web machines: what they sent, what was promised to them, and what went wrong."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import urllib3

from search.methods import METHODS
from tests.support.images import encode, scene

PATIENCE = 15.0  # seconds; a visitor who waits longer is gone
SIZE = (320, 240)


@dataclass(frozen=True)
class Answer:
    """``status`` is 0 if there was none."""

    status: int
    body: Any
    seconds: float


@dataclass
class Figures:
    """What visitors saw, phase by phase."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    partial: int = 0
    slowest: dict[str, float] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        failures = dict(sorted(self.failures.items()))
        requests = dict(sorted(self.requests.items()))
        slowest = {kind: round(seconds, 1) for kind, seconds in sorted(self.slowest.items())}
        return {"requests": requests, "failures": failures, "partial": self.partial, "slowest": slowest}


class Visitors:
    """Some threads that upload, search and delete until they are told to stop; each request to one of both hosts."""

    def __init__(self, hosts: list[str], token: str) -> None:
        self.hosts, self.headers = hosts, {"Authorization": f"Token {token}"}
        self.pool = urllib3.PoolManager(maxsize=16, retries=False, timeout=urllib3.Timeout(PATIENCE))
        self.phases: dict[str, Figures] = {}
        self.phase = ""
        self.there: dict[int, bytes] = {}  # answered with 201, and not asked to be deleted since
        self.gone: dict[int, bytes] = {}  # answered with 204
        self.unsure: dict[int, bytes] = {}  # to be deleted, but nobody knows
        self.unsent: list[bytes] = []
        self.looked_for: set[int] = set()  # not to be deleted
        self.seed = 0
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self, threads: int) -> None:
        self._threads = [threading.Thread(target=self._visit, args=(number,), daemon=True) for number in range(threads)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def enter(self, phase: str) -> None:
        with self._lock:
            self.phase = phase
            self.phases.setdefault(phase, Figures())

    def ask(self, host: str, method: str, path: str, kind: str = "", **options: Any) -> Answer:
        """One request; ``kind`` has it counted."""
        started = monotonic()
        try:
            got = self.pool.request(method, f"{host}{path}", headers=self.headers, **options)
            status, data = got.status, got.data
        except urllib3.exceptions.HTTPError as error:
            status, data = 0, str(error).encode()
        is_json = data[:1] in (b"{", b"[")
        answer = Answer(status, json.loads(data) if is_json else data, monotonic() - started)
        if kind:
            self._count(kind, answer)
        return answer

    def upload(self, host: str, data: bytes | None = None, kind: str = "upload", stays: bool = False) -> int:
        """The new picture's id, 0 if it was not promised to be kept. One that ``stays`` is not deleted by others."""
        if data is None:
            with self._lock:
                self.seed += 1
                seed = self.seed
            data = encode(scene(seed, SIZE), "JPEG", quality=90)
        answer = self.ask(host, "POST", "/api/images/", kind, fields={"file": ("picture.jpg", data)})
        with self._lock:
            if answer.status not in (200, 201):
                self.unsent.append(data)
                return 0
            self.there[answer.body["id"]] = data
            self.looked_for |= {answer.body["id"]} if stays else set()
            return int(answer.body["id"])

    def search(self, host: str, data: bytes, kind: str = "search") -> Answer:
        fields = {"file": ("query.jpg", data), "limit": "5"}
        return self.ask(host, "POST", "/api/search/image/", kind, fields=fields)

    def delete(self, host: str, key: int, kind: str = "delete") -> bool:
        """What was deleted although nobody said so is not there the next time."""
        status = self.ask(host, "DELETE", f"/api/images/{key}/", kind).status
        with self._lock:
            data = self.there.pop(key, None) or self.unsure.pop(key)
            (self.gone if status in (204, 404) else self.unsure)[key] = data
        return status in (204, 404)

    def _visit(self, number: int) -> None:
        dice, turn = random.Random(number), 0
        while not self._stop.is_set():
            turn, host = turn + 1, dice.choice(self.hosts)
            with self._lock:
                known = sorted(self.there)
            if turn % 3 == 0 or len(known) < 8:
                self.upload(host)
            elif turn % 10 == number:
                self._delete_one(host, dice)
            elif turn % 7 == 0:
                self.ask(host, "GET", "/", "page")
            else:
                self.search(host, self.there.get(dice.choice(known), b"") or encode(scene(0, SIZE)))
            self._stop.wait(0.15)

    def _delete_one(self, host: str, dice: random.Random) -> None:
        with self._lock:
            key = dice.choice(sorted(self.there.keys() - self.looked_for))
            self.unsure[key] = self.there.pop(key)
        self.delete(host, key)

    def _count(self, kind: str, answer: Answer) -> None:
        with self._lock:
            figures = self.phases[self.phase]
            figures.requests[kind] += 1
            figures.slowest[kind] = max(figures.slowest.get(kind, 0.0), answer.seconds)
            if answer.status == 0 or answer.status >= 400:
                figures.failures[f"{kind} {answer.status or 'no answer'}"] += 1
            elif kind == "search" and answer.body["skipped"]:
                figures.partial += 1


def ranks(answer: Answer, key: int) -> dict[str, int]:
    """A picture's rank in every space, of those that have it among what was answered."""
    if answer.status != 200:
        return {}
    hits = [hit for hit in answer.body["results"] if hit["image"]["id"] == key]
    return {space: one["rank"] for hit in hits for space, one in hit["methods"].items()}


FIRST = dict.fromkeys(METHODS, 1)
