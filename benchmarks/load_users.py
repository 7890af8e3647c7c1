"""What visitors do, for locust: ``locust -f benchmarks/load_users.py --tags mix``; benchmarks/load.py starts it.

The environment says the rest: LOAD_SITE, the list that benchmarks/load_site.py wrote; LOAD_RATE, requests a second of
all visitors together (0: as many as they get), and LOAD_VISITORS, how many these are; LOAD_JOURNAL, where to note what
became of uploads and deletions.
"""

from __future__ import annotations

import json
import os
import random
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from locust import FastHttpUser, constant_throughput, tag, task

from benchmarks.load_site import variation

SITE = json.loads(Path(os.environ["LOAD_SITE"]).read_text())
RATE, VISITORS = float(os.environ.get("LOAD_RATE", 0)), int(os.environ.get("LOAD_VISITORS", 1))
WORDS = ("dog", "boat", "red car", "church", "tree in the snow", "child", "horse", "bridge", "cup", "city at night")
PLACES = ("on the beach", "in a garden", "on a table", "in the rain", "in front of a house", "seen from above")
PHOTOS = [Path(path).read_bytes() for path in SITE["photos"]]
STAYING = 10  # requests of one connection, on average
dice = random.Random(11)


class Visitor(FastHttpUser):
    """Looks, and searches; at a rate, requests come independently of each other and of the answers (Poisson).

    Leaves after some requests, and another comes: a connection stays with one process of the server while it lasts.
    """

    due = 0.0

    def wait_time(self) -> float:
        """Seconds until the next request is due; none if it is late already."""
        if dice.random() < 1 / STAYING:
            self.client.client.clientpool.close()
        if not RATE:
            return 0.0
        now = monotonic()
        self.due = (self.due or now) + dice.expovariate(RATE / VISITORS)
        return max(0.0, self.due - now)

    def similar(self, method: str, ids: Any) -> None:
        self.client.get(f"/api/images/{dice.choice(ids)}/similar/?method={method}", name=f"similar, {method}")

    @tag("mix")
    @task(10)
    def first_page(self) -> None:
        self.client.get("/", name="gallery page")

    @tag("mix")
    @task(15)
    def more_pictures(self) -> None:
        before = dice.choice(SITE["ids"])
        self.client.get(f"/?page=before-{before}", headers={"HX-Request": "true"}, name="more pictures")

    @tag("mix")
    @task(50)
    def thumbnail(self) -> None:
        self.client.get(dice.choice(SITE["thumbnails"]), name="thumbnail")

    @tag("mix", "all")
    @task(5)
    def similar_all(self) -> None:
        self.similar("all", SITE["real"])

    @tag("mix", "neural")
    @task(5)
    def similar_neural(self) -> None:
        self.similar("neural", SITE["ids"])

    @tag("mix", "color")
    @task(5)
    def similar_color(self) -> None:
        self.similar("color", SITE["ids"])

    @tag("mix")
    @task(7)
    def words(self) -> None:
        q = f"{dice.choice(WORDS)} {dice.choice(PLACES)} {dice.randint(0, 999)}"
        self.client.get("/api/search/text/", params={"q": q}, name="text search")

    @tag("mix")
    @task(3)
    def upload_search(self) -> None:
        files = {"file": ("photo.jpg", dice.choice(PHOTOS), "image/jpeg")}
        self.client.post("/api/search/image/", files=files, name="upload search")


class Keeper(FastHttpUser):
    """Adds pictures and deletes about half of them; notes each answer, so that nothing can be lost unnoticed."""

    fixed_count = 1 if os.environ.get("LOAD_JOURNAL") else 0
    wait_time = constant_throughput(float(os.environ.get("LOAD_KEEPER", 2)))

    def on_start(self) -> None:
        self.dice = np.random.default_rng(random.SystemRandom().randrange(2**32))
        self.kept: list[int] = []
        self.headers = {"Authorization": f"Token {SITE['token']}"}

    @tag("mix")
    @task(2)
    def add(self) -> None:
        data = variation(Path(dice.choice(SITE["files"])), self.dice)
        files = {"file": ("new.jpg", BytesIO(data), "image/jpeg")}
        with self.client.post(
            "/api/images/", files=files, headers=self.headers, name="upload", catch_response=True
        ) as answer:
            if answer.status_code == 429:
                answer.success()  # refused as it should be; this one is not sent again
            elif answer.status_code == 201:
                self.kept.append(answer.json()["id"])
                self.note("added", self.kept[-1])

    @tag("mix")
    @task(1)
    def delete(self) -> None:
        if len(self.kept) > 3:
            key = self.kept.pop(int(self.dice.integers(len(self.kept))))
            self.note("unclear", key)  # until the answer is there: the end may come before it
            answer = self.client.delete(f"/api/images/{key}/", headers=self.headers, name="deletion")
            if answer.status_code == 204:
                self.note("deleted", key)

    def note(self, what: str, key: int) -> None:
        with Path(os.environ["LOAD_JOURNAL"]).open("a") as journal:
            journal.write(f"{what} {key}\n")
