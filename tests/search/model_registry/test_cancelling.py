"""Installing a model is stopped by its row: the command ends, and what it had begun is removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from search.model_registry import install
from search.model_registry.models import Fetch
from tests.support.waiting import wait_until

# A command that writes as soon as it is to end, and would else run for ten minutes.
PATIENT = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(open(sys.argv[1], "w").write("removed") and 1))
print("downloading: 1 of 3")
time.sleep(600)
"""

# fetch_models with a maker that never comes to its end; it says where it has begun.
ENDLESS = """
import sys, time
from search import encoders
from search.encoders.folder import write_folder

def make(name, root, progress):
    def fill(folder):
        (folder / "weights.onnx").write_bytes(b"half of it")
        print("begun", flush=True)
        time.sleep(600)
    return write_folder(root, name, fill)

from django.core.management import execute_from_command_line
sys.modules["endless"] = type(sys)("endless")
sys.modules["endless"].make = make
encoders.ENCODERS["endless"] = ("Endless", "endless.make")
execute_from_command_line(["manage.py", "fetch_models", "endless"])
"""


@pytest.mark.django_db
def test_the_command_of_a_cancelled_install_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    mark, lines = tmp_path / "mark", install._lines
    monkeypatch.setattr(install, "command", lambda _: [sys.executable, "-c", PATIENT, str(mark)])

    def cancelled_at_the_first_line(process: subprocess.Popen[bytes]):
        for line in lines(process):
            yield line
            Fetch.objects.get().cancel()

    monkeypatch.setattr(install, "_lines", cancelled_at_the_first_line)
    fetch = install.request(name="conse")
    install.run(fetch.pk)
    fetch.refresh_from_db()
    assert (fetch.state, fetch.error, fetch.done, fetch.total) == ("cancelled", "", 1, 3)
    assert mark.read_text() == "removed"


@pytest.mark.django_db
def test_a_command_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(600)"
    monkeypatch.setattr(install, "GRACE_SECONDS", 0.1)
    with subprocess.Popen([sys.executable, "-uc", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        install._stop(process)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.django_db
def test_an_install_that_is_cancelled_before_a_worker_has_it_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "_started", lambda _: pytest.fail("it began"))
    fetch = install.request(name="conse")
    fetch.cancel()
    install.run(fetch.pk)
    fetch.refresh_from_db()
    assert fetch.state == "cancelled"


def test_a_model_that_is_being_made_leaves_nothing_when_it_is_cancelled(tmp_path: Path) -> None:
    models = tmp_path / "models"
    environment = {**os.environ, "IMAGESITE_DATA": str(tmp_path), "MODELS_ROOT": str(models)}
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout
        written = process.stdout.readline()
        assert written == b"begun\n", written + process.stdout.read()
        assert list(models.iterdir())
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: process.poll() is not None, "the end of the command")
    assert process.returncode == 1
    assert not list(models.iterdir())
