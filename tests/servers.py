"""Real servers for tests: Redis and PostgreSQL from the system's packages, in folders and on ports of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll; the time is a bound for a broken machine, not an expectation."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {seconds} s")
        time.sleep(0.1)


def find_program(name: str) -> str | None:
    """On the path, or where Debian keeps PostgreSQL's own programs."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(kept[0]) if kept else shutil.which(name)


def missing_programs() -> str:
    """Why the server tests cannot run here, or ""."""
    absent = [name for name in ("redis-server", "initdb", "postgres") if not find_program(name)]
    return f"not installed: {', '.join(absent)} (apt-get install redis-server postgresql)" if absent else ""


class Redis:
    """An empty Redis without persistence."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command = [str(find_program("redis-server")), "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, 20, "Redis")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Postgres:
    """A fresh PostgreSQL cluster, run by the user postgres if we are root, which PostgreSQL refuses to be."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync").wait()
        self.process = self._run(
            "postgres", "-D", data, "-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1"
        )
        wait_until(self._answers, 30, "PostgreSQL")

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        as_other = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        command = [str(find_program(program)), *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **as_other
        )

    def _answers(self) -> bool:
        ready = [str(find_program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)  # "fast": does not wait for clients that are still connected
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
