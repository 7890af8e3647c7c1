"""``manage.py serve``, run for real."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.management import CommandError

from imagesite.management import startup
from tests.support.paths import ROOT
from tests.support.servers import free_port
from tests.support.static_files import copy_to
from tests.support.waiting import DEADLINE, wait_until

Start = Callable[..., "Site"]


class Site:
    """A running ``serve`` in a process group of its own."""

    def __init__(self, log: Path, data: Path, **environment: str) -> None:
        self.port = free_port()
        self.log = log
        clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--no-samples", "--concurrency", "1"],
                cwd=ROOT,
                env=clean | {"IMAGESITE_DATA": str(data), "PORT": str(self.port)} | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[str]:
        return self.said.splitlines()

    def answers(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=60) as answer:
            return answer.status == 200
        return False

    def wait_until_up(self) -> None:
        wait_until(lambda: "The site is at" in self.said or self.process.poll() is not None, "start of the site")
        assert "The site is at" in self.said, self.said

    def members(self) -> dict[int, str]:
        """Living processes of the group: process id -> command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        return found

    def child(self, program: str) -> int:
        """The process of this program that the supervisor started; 0 while there is none."""
        for pid, command in self.members().items():
            with suppress(OSError):
                parent = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == self.process.pid and f"-m {program} " in command:
                    return pid
        return 0

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    sites: list[Site] = []

    def start_one(data: Path | None = None, *, collected: bool = True, **environment: str) -> Site:
        """``collected``: as on every start but the first, static files are there already; compressing takes long."""
        if data is None and collected:
            copy_to(tmp_path / "data" / "static")
        sites.append(Site(tmp_path / "log", data or tmp_path / "data", **environment))
        return sites[-1]

    yield start_one
    for site in sites:
        site.end()


def refusal(site: Site) -> str:
    """The one line that it ends with, and nothing else."""
    assert site.process.wait(timeout=DEADLINE) == 1
    assert len(site.lines()) == 1, site.said
    return site.said


def counted(site: Site) -> float:
    """How many requests for its figures it has answered, as its figures say."""
    request = urllib.request.Request(f"http://127.0.0.1:{site.port}/metrics", headers={"Authorization": "Bearer token"})
    with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
        told = re.findall(
            r'^imagesite_requests_total\{.*view="metrics".*\} (.*)$', answer.read().decode(), re.MULTILINE
        )
    return sum(map(float, told))


def test_it_needs_no_terminal_and_ctrl_c_ends_every_process_without_a_traceback(start):
    site = start(collected=False, METRICS_TOKEN="token", LOG_REQUESTS="1")
    site.wait_until_up()
    assert f"http://127.0.0.1:{site.port}/" in site.said
    assert site.answers()
    assert site.child("gunicorn")
    assert site.child("celery")
    asked = [counted(site) for _ in range(12)]
    assert asked == sorted(asked), "each process told of itself alone"
    assert asked[-1] >= 11
    assert site.said.count("]: GET /metrics 200, ") == 12
    wait_until(lambda: re.search(r"]: Task search\.tasks\.\w+\[.*] succeeded in ", site.said), "a task in the log")
    os.killpg(site.process.pid, signal.SIGINT)
    assert site.process.wait(timeout=DEADLINE) == 0
    assert site.members() == {}
    assert "Traceback" not in site.said


@pytest.mark.parametrize("program", ["celery", "gunicorn"])
def test_what_is_killed_is_started_again_and_leaves_no_orphans(start, program):
    site = start()
    site.wait_until_up()
    before, first = set(site.members()), site.child(program)
    family = {pid for pid in before if f"-m {program} " in site.members().get(pid, "")}
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: site.child(program) not in (0, first), f"restart of {program}")
    wait_until(lambda: not family & set(site.members()), "end of its old processes")
    wait_until(site.answers, "an answer")


def test_workers_give_way_to_the_web_server(start):
    site = start()
    site.wait_until_up()

    def politeness(program: str) -> list[int]:
        with suppress(ProcessLookupError):
            found = site.members().items()
            return [os.getpriority(os.PRIO_PROCESS, pid) for pid, command in found if f"-m {program} " in command]
        return []

    polite = min(19, max(politeness("gunicorn")) + 15)
    wait_until(lambda: max(politeness("celery"), default=0) >= polite, "polite workers")


def test_its_children_end_when_it_is_killed_itself(start):
    site = start()
    site.wait_until_up()
    os.kill(site.process.pid, signal.SIGKILL)
    site.process.wait()
    wait_until(lambda: not site.members(), "end of the children")


def test_a_port_in_use_is_one_line(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = refusal(start(PORT=port))
    assert "already in use" in line
    assert port in line


def test_a_port_that_is_no_number_is_one_line(start):
    assert "PORT must be a number" in refusal(start(PORT="80a"))


def test_a_folder_that_cannot_be_written_is_one_line(start, tmp_path):
    (tmp_path / "file").touch()
    assert "IMAGESITE_DATA" in refusal(start(tmp_path / "file" / "data"))


@pytest.mark.parametrize("url", ["nonsense", "postgres://nobody:x@127.0.0.1:1/none"])
def test_a_database_that_cannot_be_opened_is_one_line(start, url):
    assert "DATABASE_URL" in refusal(start(DATABASE_URL=url))


def test_a_read_only_folder_is_refused():
    with pytest.raises(CommandError, match="Set IMAGESITE_DATA"):
        startup.check_folder(Path("/proc/sys"))


def test_a_full_disk_is_refused(tmp_path, monkeypatch):
    startup.check_folder(tmp_path)
    monkeypatch.setattr(startup, "MIN_FREE", 10**18)
    with pytest.raises(CommandError, match="MB are free"):
        startup.check_folder(tmp_path)


def test_static_files_are_collected_again_only_when_one_has_changed(tmp_path, settings):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "a.txt").write_text("first")
    settings.STATICFILES_DIRS = [folder]
    settings.STATIC_ROOT = tmp_path / "collected"
    startup.collect_static_files()
    (settings.STATIC_ROOT / "a.txt").unlink()
    startup.collect_static_files()
    assert not (settings.STATIC_ROOT / "a.txt").exists()
    (folder / "a.txt").write_text("second version")
    startup.collect_static_files()
    assert (settings.STATIC_ROOT / "a.txt").read_text() == "second version"
