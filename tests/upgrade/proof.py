"""A data folder filled by an older commit, opened by the code that is here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from tests.support.waiting import wait_until
from tests.upgrade.pictures import write_pictures

OLD = "a28c6f1"  # the last commit before the modules got rooms
NO_HISTORY = "the history of the project"
CACHE = ROOT / ".pytest_cache" / "upgrade"
CONTRACT = "import django; django.setup(); import contract; contract.main()"
SUCCEEDED = re.compile(r"Task ([\w.]+)\[([\w-]+)\] succeeded")


@dataclass(frozen=True, slots=True)
class Proof:
    """What was seen by the old code, by the new code, and by the new code when its worker had run what was queued."""

    filled: dict[str, Any]
    old: dict[str, Any]
    new: dict[str, Any]
    drained: dict[str, Any]
    planned: str  # what ``migrate --plan`` says
    queued: dict[str, str]  # id -> name of the tasks that the old code left
    seconds: dict[str, float]  # that each part took
    succeeded: set[str]  # ids of those that a worker of the new code finished
    log: str


def missing_commit(commit: str) -> str:
    """Why the older code cannot be had, or ""."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return f"needs {NO_HISTORY}, and this is no checkout"
    look_up = ["git", "cat-file", "-e", f"{commit}^{{commit}}"]
    unknown = subprocess.run(look_up, cwd=ROOT, capture_output=True, check=False).returncode
    return f"needs {NO_HISTORY}, and commit {commit} is not in this clone" if unknown else ""


def prove(folder: Path, commit: str = OLD) -> Proof:
    """Fill a new data folder in ``folder`` with the code of ``commit``, and open it with this one."""
    seconds: dict[str, float] = {}
    with timed(seconds, "older code"):
        tree = old_tree(commit)
        models = old_models(commit, tree)
    before, after = Code(tree, folder / "data"), Code(ROOT, folder / "data")
    shutil.copytree(models, folder / "data" / "models", symlinks=True, copy_function=os.link)
    write_pictures(folder / "pictures")
    with timed(seconds, "fill"):
        filled = before.contract("fill", str(folder / "pictures"))
    look = "look", filled["search"]
    with timed(seconds, "look with the older code"):
        old = before.contract(*look)
    queued = messages(folder / "data")
    with timed(seconds, "migrate"):
        planned = after.run("manage.py", "migrate", "--plan", "--no-color").stdout
        after.run("manage.py", "migrate", "--verbosity=0")
    with timed(seconds, "look"):
        new = after.contract(*look)
    with timed(seconds, "work"):
        log = after.drain(folder / "worker.log", set(queued))
    with timed(seconds, "look after work"):
        drained = after.contract(*look)
    succeeded = {match[2] for match in SUCCEEDED.finditer(log)}
    return Proof(filled, old, new, drained, planned, queued, seconds, succeeded, log)


@contextmanager
def timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    seconds[part] = round(time.monotonic() - began, 1)


@dataclass(frozen=True, slots=True)
class Code:
    """A version of the code, working on a data folder."""

    tree: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        paths = os.pathsep.join((str(self.tree), str(Path(__file__).parent)))
        own = {"IMAGESITE_DATA": str(self.data), "PYTHONPATH": paths, "DJANGO_SETTINGS_MODULE": "imagesite.settings"}
        return inherited | own | {"LOG_REQUESTS": "1"}

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.tree, env=self.environment, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-5_000:]}{done.stderr[-20_000:]}")
        return done

    def contract(self, *arguments: str) -> dict[str, Any]:
        """See contract.py."""
        answer: dict[str, Any] = json.loads(self.run("-c", CONTRACT, *arguments).stdout.splitlines()[-1])
        return answer

    def drain(self, log: Path, ids: set[str]) -> str:
        """Let a worker, without the clock that asks for lost work, finish these tasks. Returns its log."""
        command = [sys.executable, "-m", "celery", "-A", "imagesite", "worker", "--concurrency=2"]
        with log.open("w") as file:
            worker = subprocess.Popen(command, cwd=self.tree, env=self.environment, stdout=file, stderr=file)

        def finished() -> bool:
            done = {match[2] for match in SUCCEEDED.finditer(log.read_text())}
            return ids <= done or worker.poll() is not None or "unregistered task" in log.read_text()

        try:
            wait_until(finished, "the end of all queued tasks")
        finally:
            worker.terminate()
            worker.wait()
        return log.read_text()


def messages(data: Path) -> dict[str, str]:
    """Id -> name of the tasks that are in the queue."""
    headers = [json.loads(path.read_text())["headers"] for path in (data / "queue" / "messages").glob("*.msg")]
    return {entry["id"]: entry["task"] for entry in headers}


def old_tree(commit: str) -> Path:
    """The files of a commit, unpacked once: compiled kernels are kept beside them."""
    tree = CACHE / commit / "tree"
    if not tree.exists():
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        unfinished = tree.with_name(f"tree.{os.getpid()}")
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            files.extractall(unfinished, filter="data")
        unfinished.rename(tree)
    return tree


def old_models(commit: str, tree: Path) -> Path:
    """The default encoders as that commit makes them."""
    made = CACHE / commit / "data"
    if not (made / "complete").exists():
        Code(tree, made).run("manage.py", "fetch_models")
        (made / "complete").touch()
    return made / "models"


def summary(proof: Proof) -> dict[str, Any]:
    """Figures for people."""
    return {
        "seconds": proof.seconds,
        "pictures": len(proof.old["tables"]["gallery_image"]),
        "features": len(proof.old["features"]),
        "searches with the same answer": sum(
            proof.new["answers"][name] == answer for name, answer in proof.old["answers"].items()
        ),
        "searches": len(proof.old["answers"]),
        "features that changed": sum(
            proof.new["features"].get(name) != value for name, value in proof.old["features"].items()
        ),
        "files that changed": sum(proof.new["files"].get(name) != value for name, value in proof.old["files"].items()),
        "what migrate does": [line.strip() for line in proof.planned.splitlines()],
        "tasks queued": dict(Counter(proof.queued.values())),
        "tasks not finished": sorted({proof.queued[one] for one in proof.queued.keys() - proof.succeeded}),
        "what differs": sorted(name for name in proof.old if proof.old[name] != proof.new[name]),
    }
