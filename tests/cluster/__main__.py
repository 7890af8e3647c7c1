"""A cluster that is hurt while visitors use it: ``python -m tests.cluster FOLDER``, which test_cluster.py starts.

Writes what visitors saw, how long recovery took, and what is wrong afterwards, as one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.audit import audit
from tests.cluster.clients import FIRST, Answer, Visitors, ranks
from tests.cluster.machines import Cluster
from tests.cluster.network import cut, make_switch, mend
from tests.support.default_encoders import folder, make_missing
from tests.support.waiting import wait_until

THREADS = 2
CUT = 20.0  # seconds


STARTED = time.monotonic()
COURSE: list[str] = []  # what happened when


def say(line: str) -> None:
    COURSE.append(f"{time.monotonic() - STARTED:6.1f} s  {line}")
    sys.stderr.write(f"{COURSE[-1]}\n")
    sys.stderr.flush()


class Trial:
    """The course of events."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.hosts = [cluster.url("web1"), cluster.url("web2")]
        self.visitors = Visitors(self.hosts, cluster.token)
        self.recovered: dict[str, float] = {}
        self.seen: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        wait_until(self.all_ready, "both web machines ready")
        say("both web machines are ready")
        for hurt in (self.calm, self.killed_worker, self.forgetful_redis, self.cut_off, self.restarted_database):
            with self.phase(hurt.__name__):
                hurt()
        self.visitors.end()
        say("the visitors have gone")
        wait_until(lambda: self.settled(), "the end of all work")
        say("all work is done")
        wrong = audit(self.visitors, self.cluster.postgres.url)
        return {
            "pictures": len(self.visitors.there),
            "deleted": len(self.visitors.gone),
            "phases": {name: figures.told() for name, figures in self.visitors.phases.items()},
            "recovered": self.recovered,
            "seen": self.seen,
            "wrong": wrong,
        }

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What happens in there is counted under this name, until new pictures are found at once again everywhere."""
        self.visitors.enter(name)
        say(name)
        yield
        mended = time.monotonic()
        wait_until(self.works, f"recovery from {name}")
        self.recovered[name] = round(time.monotonic() - mended, 1)
        say(f"{name}: recovered in {self.recovered[name]} s")

    def calm(self) -> None:
        self.visitors.begin(THREADS)
        time.sleep(8)

    def killed_worker(self) -> None:
        asked = self.visitors.ask(self.hosts[1], "POST", "/api/reindex/", json={"spaces": [], "force": True})
        assert asked.status == 202, asked
        self.job = asked.body["id"]
        time.sleep(1)
        self.cluster.running["work1"].kill()
        time.sleep(4)
        self.cluster.running["work1"].start()

    def forgetful_redis(self) -> None:
        self.cluster.redis.stop()
        time.sleep(2)
        self.cluster.redis.start()

    def cut_off(self) -> None:
        machines = self.cluster.machines
        for other in ("redis", "milvus"):
            cut(machines["web1"], machines[other])
        began = time.monotonic()
        time.sleep(3)
        self.seen["web1 while it is cut off"] = self.visitors.ask(self.hosts[0], "GET", "/readyz").body
        time.sleep(max(0, CUT - (time.monotonic() - began)))
        for other in ("redis", "milvus"):
            mend(machines["web1"], machines[other])

    def restarted_database(self) -> None:
        self.cluster.postgres.halt()
        time.sleep(1)
        self.cluster.postgres.start()

    def all_ready(self) -> bool:
        return all(self.visitors.ask(host, "GET", "/readyz").status == 200 for host in self.hosts)

    def works(self) -> bool:
        """Both are ready, and what is sent to one is first in every space of the other."""
        if not self.all_ready():
            return False
        keys = [self.sent(host) for host in self.hosts]
        return all(self.found(host, key) for host, key in zip(self.hosts[::-1], keys, strict=True))

    def sent(self, host: str) -> int:
        return self.visitors.upload(host, kind="", stays=True)

    def found(self, host: str, key: int) -> bool:
        """Waits until it is; False if the picture was not taken."""
        answers: list[Answer] = []

        def first() -> bool:
            answers.append(self.visitors.search(host, self.visitors.there[key], kind=""))
            return ranks(answers[-1], key) == FIRST

        try:
            wait_until(first, f"a first rank of {key}") if key else None
        except TimeoutError:
            say(f"{host} answers for {key}: {answers[-1]}")
            raise
        return bool(key)

    def settled(self) -> bool:
        """What was not answered is asked again, as visitors do; and nothing is left to do."""
        visitors, host = self.visitors, self.hosts[0]
        unsent, visitors.unsent = visitors.unsent, []
        for data in unsent:
            visitors.upload(host, data, kind="")
        for key in list(visitors.unsure):
            visitors.delete(host, key, kind="")
        job = visitors.ask(host, "GET", f"/api/jobs/{self.job}/").body
        spaces = visitors.ask(host, "GET", "/api/spaces/").body
        self.seen["job"] = job
        done = job["state"] in ("done", "failed") and not any(one["pending"] for one in _listed(spaces))
        return done and not visitors.unsent and not visitors.unsure


def _listed(answer: Any) -> list[dict[str, Any]]:
    return list(answer["results"] if isinstance(answer, dict) else answer)


def main(home: Path) -> None:
    """All that is written goes into this folder, and the report to ``report.json`` there."""
    namespaces = Path("/run/netns")
    namespaces.mkdir(exist_ok=True)  # `ip netns` makes it when it is first used on a machine
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(namespaces)], check=True)
    tempfile.tempdir = str(home)
    make_missing(folder())
    make_switch()
    cluster = Cluster(home)
    try:
        cluster.start()
        say("all machines run")
        told = Trial(cluster).run()
    except BaseException:
        sys.stderr.write(cluster.tails())
        raise
    say("all was looked at")
    told["course"] = COURSE
    sys.stderr.write(cluster.tails() if told["wrong"] else "")
    (home / "report.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
