"""Too much at once is refused with 429 and Retry-After; it never takes all memory, nor all threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from socket import create_connection

import numpy as np
import pytest
from django.conf import settings
from django.test import Client

from gallery.decoding.decoder import MEMORY
from gallery.decoding.formats import PEAK_BYTES
from gallery.decoding.memory import MemoryBudget
from gallery.exceptions import Busy
from gallery.services import add_image
from gallery.web.admission import UploadSlots
from imagesite.management.commands.serve import answers, web_command
from imagesite.webserver import threads
from tests.support.api import error_of, picture, writer
from tests.support.images import encode, scene
from tests.support.pages import as_editor
from tests.support.paths import ROOT
from tests.support.servers import free_port
from tests.support.waiting import DEADLINE, wait_until

SIDE = 3_400  # pixels
FLOOD = 200
PREPARED = """
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework.authtoken.models import Token
call_command("migrate", verbosity=0)
print(Token.objects.create(user=User.objects.create_superuser("boss")).key)
"""
TOGETHER = 250_000_000  # bytes for decoding: one such picture at a time, and not two


def test_the_last_slot_is_kept_for_another_kind() -> None:
    slots = UploadSlots(wait=0.01)
    with slots.occupied("add", 3), slots.occupied("add", 3):
        with pytest.raises(Busy), slots.occupied("add", 3):
            pass
        with slots.occupied("search", 3), pytest.raises(Busy), slots.occupied("other", 3):
            pass
    with slots.occupied("add", 1):
        pass


def test_half_as_many_as_there_are_slots_may_wait_for_one() -> None:
    slots, came, over = UploadSlots(wait=DEADLINE), Counter[str](), threading.Event()

    def work(_: int) -> None:
        try:
            with slots.occupied("add", 4):
                over.wait(DEADLINE)
                came["in"] += 1
        except Busy:
            came["refused"] += 1

    with ThreadPoolExecutor(10) as pool:
        for i in range(10):
            pool.submit(work, i)
        wait_until(lambda: came["refused"] == 5, "the refusal of who came when three were in and two waited")
        over.set()
    assert came == {"in": 5, "refused": 5}


def test_room_is_never_overdrawn_and_everyone_gets_it() -> None:
    budget, seen, now = MemoryBudget(wait=DEADLINE), [], Counter[str]()
    lock = threading.Lock()

    def work(amount: int) -> None:
        with budget.reserved(amount, 10):
            with lock:
                now["used"] += amount
                seen.append(now["used"])
            time.sleep(0.002)
            with lock:
                now["used"] -= amount

    amounts = np.random.default_rng(1).integers(1, 10, 60).tolist()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, amounts))
    assert len(seen) == 60
    assert 5 < max(seen) <= 10


def test_who_finds_no_room_in_time_is_told_so() -> None:
    budget = MemoryBudget(wait=0.01)
    with budget.reserved(8, 10):
        with pytest.raises(Busy), budget.reserved(3, 10):
            pass
        with budget.reserved(2, 10):
            pass
    with budget.reserved(11, 10):
        pass  # alone, anything goes; what is too large for good is refused elsewhere


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every slot of this process is taken."""
    taken = ExitStack()
    made = UploadSlots(wait=0.01)
    for i in range(4):
        taken.enter_context(made.occupied(str(i), 4))
    monkeypatch.setattr("imagesite.middleware.UploadSlots", lambda: made)
    with taken:
        yield


@pytest.mark.django_db
@pytest.mark.usefixtures("full")
def test_without_a_slot_the_api_answers_429_and_stores_nothing() -> None:
    sender = writer()
    for address in ("/api/images/", "/api/search/image/"):
        answer = sender.post(address, {"file": picture()})
        assert error_of(answer, 429)["code"] == "busy"
        assert int(answer["Retry-After"]) > 0
    assert sender.get("/api/images/").json()["results"] == []
    assert sender.get("/api/search/text/", {"q": "a dog"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("full")
def test_a_part_of_a_stored_picture_needs_a_slot_too_since_it_is_decoded(client: Client) -> None:
    image = add_image(data=encode(scene(1), "PNG")).image
    part = {"method": "color", "region": "0,0,0.5,0.5"}
    assert error_of(client.get(f"/api/images/{image.pk}/similar/", part), 429)["code"] == "busy"
    assert client.get(f"/images/{image.pk}/", part).status_code == 429
    assert client.get(f"/api/images/{image.pk}/similar/", {"method": "color"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("full")
def test_without_a_slot_pages_say_so_too(client: Client) -> None:
    as_editor(client)
    for address, field in (("/add/", "pictures"), ("/search/", "file")):
        answer = client.post(address, {field: picture()})
        assert answer.status_code == 429
        assert int(answer["Retry-After"]) > 0
        assert "again" in answer.content.decode()
    assert client.get("/search/?q=dog").status_code == 200


@pytest.mark.django_db
def test_without_room_a_picture_is_refused_as_busy_by_api_and_pages(
    client: Client, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    monkeypatch.setattr(MEMORY, "wait", 0.0)
    settings.DECODING_MEMORY = 10_000_000
    as_editor(client)
    with MEMORY.reserved(10_000_000, 10_000_000):
        answer = writer().post("/api/images/", {"file": picture()})
        assert error_of(answer, 429)["code"] == "busy"
        assert int(answer["Retry-After"]) > 0
        for address, field in (("/add/", "pictures"), ("/search/", "file")):
            answer = client.post(address, {field: picture()})
            assert (answer.status_code, answer["Retry-After"]) == (429, "5")
    assert client.get("/api/images/").json()["results"] == []


class Site:
    """A real web server of two processes, as ``manage.py serve`` starts it, and a token to write with."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        unset = {"DATABASE_URL", "CELERY_BROKER_URL"}
        kept = {name: value for name, value in os.environ.items() if name not in unset}
        self.environment = kept | {"IMAGESITE_DATA": str(folder), "DECODING_MEMORY": str(TOGETHER)}
        folder.mkdir()
        (folder / "static").symlink_to(settings.STATIC_ROOT)
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "-v0", "-c", PREPARED],
            cwd=ROOT,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        self.token = done.stdout.split()[-1]
        self.process = subprocess.Popen(web_command("127.0.0.1", self.port, 2), cwd=ROOT, env=self.environment)
        wait_until(lambda: answers("127.0.0.1", self.port), "the web server")

    def ask(self, method: str, address: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        connection.request(method, address, body, {"Authorization": f"Token {self.token}", **headers})
        answer = connection.getresponse()
        read = answer.read()
        connection.close()
        return answer.status, dict(answer.headers), read

    def upload(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="large.webp"\r\n\r\n'
        return self.ask(
            "POST",
            "/api/images/",
            head + data + b"\r\n--cut--\r\n",
            **{"Content-Type": "multipart/form-data; boundary=cut"},
        )

    def resident(self) -> int:
        """Bytes of all its processes."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in [self.process.pid, *children])
        return sum(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site") / "data")
    yield site
    site.stop()


class Watch:
    """Asks for a search again and again, and notes the most memory, until it is told to stop."""

    def __init__(self, site: Site) -> None:
        self.site, self.most, self.found = site, 0, Counter[int]()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._search), threading.Thread(target=self._weigh)]

    def _search(self) -> None:
        while not self._over.is_set():
            self.found[self.site.ask("GET", "/api/search/text/?q=a+dog")[0]] += 1

    def _weigh(self) -> None:
        while not self._over.wait(0.02):
            self.most = max(self.most, self.site.resident())

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_a_flood_of_large_pictures_is_refused_in_part_while_searches_are_answered(site: Site) -> None:
    """Each needs 208 MB to be decoded. 16 threads would need 3.3 GB; two at a time need 0.4."""
    assert TOGETHER / 2 < SIDE**2 * PEAK_BYTES["WEBP"] < TOGETHER
    large = encode(scene(1, (SIDE, SIDE)), "WEBP", quality=50, method=0)
    site.upload(large)  # the first of all loads what it needs
    before = site.resident()
    with Watch(site) as watch, ThreadPoolExecutor(FLOOD) as visitors:
        came = list(visitors.map(lambda i: site.upload(large + b"\0" * (2 * i + 2)), range(FLOOD)))
    statuses = Counter(status for status, _, _ in came)
    assert set(statuses) == {201, 429}, statuses
    assert all(int(headers["Retry-After"]) > 0 for status, headers, _ in came if status == 429)
    assert set(watch.found) == {200}
    assert watch.most - before < 2 * TOGETHER + 800_000_000, f"{watch.most - before:,} bytes"
    kept = [json.loads(body)["id"] for status, _, body in came if status == 201]
    assert len(set(kept)) == statuses[201]
    assert {site.ask("GET", f"/api/images/{key}/")[0] for key in kept} == {200}
    assert site.upload(large + b"\0" * 1_000)[0] == 201, "it goes on afterwards"


def test_who_begins_to_send_and_goes_silent_does_not_hold_all_threads(site: Site) -> None:
    head = "POST /api/search/image/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    head += "Content-Type: multipart/form-data; boundary=cut\r\n\r\n--c"
    with ExitStack() as silent:
        for _ in range(3 * 2 * threads):
            connection = silent.enter_context(create_connection(("127.0.0.1", site.port)))
            connection.sendall(head.encode())
        assert site.ask("GET", "/api/images/")[0] == 200
