"""Real servers for tests: Redis and PostgreSQL from the system's packages, in folders and on ports of their own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.waiting import wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def find_program(name: str) -> str | None:
    """On the path, or where Debian keeps PostgreSQL's own programs."""
    kept = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(kept[0]) if kept else shutil.which(name)


def missing_programs() -> str:
    """Why the server tests cannot run here, or ""."""
    absent = [name for name in ("redis-server", "initdb", "postgres") if not find_program(name)]
    return f"not installed: {', '.join(absent)} (apt-get install redis-server postgresql)" if absent else ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server runs: its address, and what stands before a command that is to run there."""

    address: str = "127.0.0.1"
    inside: tuple[str, ...] = ()


HERE = Place()


class Redis:
    """An empty Redis without persistence: what it knew is gone when it is started again."""

    def __init__(self, place: Place = HERE) -> None:
        self.place, self.port = place, free_port()
        self.url = f"redis://{place.address}:{self.port}/0"
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--save", "", "--bind", self.place.address, "--protected-mode", "no"]
        command = [*self.place.inside, str(find_program("redis-server")), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(self._answers, "Redis")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.place.address, self.port)) == 0

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class Postgres:
    """A fresh PostgreSQL cluster, run by the user postgres if we are root, which PostgreSQL refuses to be."""

    def __init__(self, place: Place = HERE) -> None:
        self.place, self.port = place, free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="pg"))
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.url = f"postgres://postgres@{place.address}:{self.port}/postgres"
        self.data = self.folder / "data"
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync").wait()
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {place.address}/24 trust\n")
        self.start()

    def start(self) -> None:
        options = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.folder), "-h", self.place.address]
        self.process = self._run("postgres", *options)
        wait_until(self._answers, "PostgreSQL")

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        as_user = f"--reuid={self.user.pw_uid} --regid={self.user.pw_gid} --clear-groups".split()
        change = ["setpriv", *as_user] if os.getuid() == 0 else []
        command = [*self.place.inside, *change, str(find_program(program)), *arguments]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _answers(self) -> bool:
        ready = [str(find_program("pg_isready")), "-q", "-h", self.place.address, "-p", str(self.port)]
        return subprocess.run(ready, check=False).returncode == 0

    def halt(self) -> None:
        self.process.send_signal(signal.SIGINT)  # "fast": does not wait for clients that are still connected
        self.process.wait()

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)
