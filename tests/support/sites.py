"""Sites of several processes, with a database and a broker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT


class Site:
    """A data folder with its database and broker, and the processes that work on it."""

    def __init__(self, folder: Path, *, migrated: bool = True, **environment: str) -> None:
        clean = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "CELERY_BROKER_URL"}}
        self.environment = clean | {"IMAGESITE_DATA": str(folder / "data"), "SWEEP_SECONDS": "2", **environment}
        self.started: list[subprocess.Popen[str]] = []
        if migrated:
            self.migrate()

    def migrate(self) -> None:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=self.environment, check=True)

    def start(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def worker(self) -> subprocess.Popen[str]:
        return self.start("celery", "-A", "imagesite", "worker", "-B", "-c", "2", "-l", "warning")

    def peer(self) -> Peer:
        return Peer(self.start("tests.support.peer"))

    def kill_all(self) -> None:
        for process in self.started:
            kill(process)


class Peer:
    """A process that answers commands, see tests/support/peer.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, verb: str, argument: object = "") -> object:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{verb} {argument}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"{verb} killed the process"
        return json.loads(answer)


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9 for the process and all it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
