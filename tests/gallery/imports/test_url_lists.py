"""Importing from lists of addresses: what is fetched, what is not fetched again, what a kill costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gallery.imports.importing import FETCHED_AT_ONCE
from gallery.models import Image
from gallery.services import delete_images, trash_images
from tests.support.imports import make_tar, picture, run, titles
from tests.support.paths import ROOT
from tests.support.waiting import DEADLINE, wait_until

pytestmark = pytest.mark.django_db


class Handler(SimpleHTTPRequestHandler):
    """Answers as long as ``gate`` is open, or ``before_gate`` requests have not been made."""

    asked: list[str] = []
    gate = threading.Event()
    before_gate = FETCHED_AT_ONCE + 7

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if len(self.asked) > self.before_gate:
            self.gate.wait(DEADLINE)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Serves ``served/``."""
    folder = tmp_path / "served"
    folder.mkdir()
    for seed in range(40):
        (folder / f"{seed}.jpg").write_bytes(picture(seed))
    Handler.asked = []
    Handler.gate.set()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_list_of_urls_is_fetched_once(site: str, tmp_path: Path, settings: Any) -> None:
    settings.FETCH_PRIVATE_ADDRESSES = True
    urls = tmp_path / "urls.txt"
    urls.write_text(f"\ufeff# pictures\n\n{site}/1.jpg\n {site}/2.jpg?a=/x \n{site}/none.jpg\nfile:///etc/passwd\n")
    assert run(urls) == (
        "2 added, 0 there already, 2 rejected.",
        {"none.jpg": "not_fetched", "passwd": "not_fetched"},
    )
    assert titles() == {"1", "2"}
    Handler.asked.clear()
    assert run(urls)[0] == "0 added, 2 there already, 2 rejected."
    assert Handler.asked == ["/none.jpg"]


def test_what_was_deleted_or_trashed_since_is_fetched_again(site: str, tmp_path: Path, settings: Any) -> None:
    settings.FETCH_PRIVATE_ADDRESSES = True
    urls = tmp_path / "urls.txt"
    urls.write_text(f"{site}/1.jpg\n{site}/2.jpg\n{site}/3.jpg")
    run(urls)
    delete_images(ids=[Image.objects.get(title="1").pk])
    trash_images(ids=[Image.objects.get(title="2").pk])
    assert run(urls)[0] == "2 added, 1 there already, 0 rejected."
    assert titles() == {"1", "2", "3"}


def test_addresses_inside_the_network_are_refused(site: str, tmp_path: Path) -> None:
    urls = tmp_path / "urls.txt"
    urls.write_text(f"{site}/1.jpg\nhttp://localhost/2.jpg\nhttp://169.254.169.254/3.jpg\nhttp://[::1]/4.jpg")
    said, rejected = run(urls)
    assert (said, set(rejected.values())) == ("0 added, 0 there already, 4 rejected.", {"not_fetched"})
    assert Handler.asked == []


def test_an_import_that_was_killed_goes_on_where_it_was(site: str, tmp_path: Path) -> None:
    entries = {f"{seed}.jpg": picture(seed) for seed in range(100, 140)}
    make_tar(tmp_path / "set.tar", entries)
    (tmp_path / "urls.txt").write_text("\n".join(f"{site}/{seed}.jpg" for seed in range(40)))
    clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
    environment = clean | {"IMAGESITE_DATA": str(tmp_path / "data"), "FETCH_PRIVATE_ADDRESSES": "1"}
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "manage.py", "import_images", str(tmp_path / "set.tar"), str(tmp_path / "urls.txt")]
    Handler.gate.clear()
    killed = subprocess.Popen(command, cwd=ROOT, env=environment)
    wait_until(lambda: len(Handler.asked) > Handler.before_gate or killed.poll() is not None, "pictures from afar")
    killed.send_signal(signal.SIGKILL)
    Handler.gate.set()
    assert killed.wait() == -signal.SIGKILL, "the import ended too early for this test to mean anything"
    rest = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    added, known = (int(rest.split(word)[0].split()[-1].strip()) for word in (" added", " there already"))
    assert (added + known, "0 rejected" in rest) == (80, True)
    assert added < 36
    assert len(Handler.asked) <= 40 + FETCHED_AT_ONCE + 1, "what was there already was fetched again"
    assert len(list((tmp_path / "data" / "media" / "originals").rglob("*.jpg"))) == 80
