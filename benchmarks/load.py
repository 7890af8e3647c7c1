"""A site with 100,000 pictures under load: how many requests a second it answers, how late, with how much memory.

``python -m benchmarks.load`` prepares a data folder (some minutes; ``--data`` keeps it), then lets visitors of locust
ask (``rates``), sends 200 large photographs at once (``flood``), asks the same of Milvus (``backends``), then adds and
deletes pictures for half an hour (``soak``). Each part writes its own section of benchmarks/results/load.md. The
visitors need processor time of the same cores; the report says how much.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load_backends import backends
from benchmarks.load_flood import flood
from benchmarks.load_report import put
from benchmarks.load_site import Served, connect, prepare, serving
from benchmarks.load_soak import check, journal_of
from benchmarks.speed import table

USERS = Path(__file__).parent / "load_users.py"
VISITORS = 16
KINDS = ("color", "neural", "all")
PARTS = ("prepare", "rates", "flood", "backends", "soak")
HEADER = ("request", "a second", "p50 ms", "p95 ms", "p99 ms", "failures", "requests")
MB = 1_000_000
Row = tuple[str, ...]


@dataclass
class Run:
    """What locust saw: its statistics, the seconds it took, and processor seconds by process."""

    stats: list[dict[str, Any]]
    seconds: float
    busy: dict[str, float]
    memory: list[tuple[int, int]]

    @property
    def rate(self) -> float:
        return float(sum(one["num_requests"] for one in self.stats) / self.seconds)

    @property
    def failures(self) -> int:
        return sum(one["num_failures"] for one in self.stats)

    def rows(self) -> list[Row]:
        return [self._row(one["name"], [one]) for one in sorted(self.stats, key=lambda one: str(one["name"]))]

    def together(self, name: str) -> Row:
        return self._row(name, self.stats)

    def percentile(self, share: float) -> float:
        return _percentile(self.stats, share)

    def _row(self, name: str, stats: Sequence[dict[str, Any]]) -> Row:
        count = sum(one["num_requests"] for one in stats)
        late = (f"{_percentile(stats, share):.0f}" for share in (50, 95, 99))
        return (
            name,
            f"{count / self.seconds:.1f}",
            *late,
            str(sum(one["num_failures"] for one in stats)),
            f"{count:,}",
        )

    def cores(self) -> str:
        """Who used how many of the cores."""
        return ", ".join(f"{name} {seconds / self.seconds:.2f}" for name, seconds in self.busy.items())


def _percentile(stats: Sequence[dict[str, Any]], share: float) -> float:
    counted = Counter[float]()
    for one in stats:
        counted.update({float(took): count for took, count in one["response_times"].items()})
    took = np.array(sorted(counted))
    upto = np.cumsum([counted[one] for one in took])
    return float(took[np.searchsorted(upto, share / 100 * upto[-1])]) if len(took) else 0.0


def locust(
    served: Served,
    data: Path,
    tag: str,
    seconds: float,
    *,
    visitors: int = VISITORS,
    rate: float = 0.0,
    keep: bool = False,
) -> Run:
    """Let visitors of one tag ask for a while."""
    environment = os.environ | {"LOAD_SITE": str(data / "load.json"), "LOAD_VISITORS": str(visitors)}
    environment |= {"LOAD_RATE": str(rate)} | ({"LOAD_JOURNAL": str(journal_of(data))} if keep else {})
    classes = ["Visitor", *(["Keeper"] if keep else [])]
    options = f"--headless --only-summary --json --loglevel ERROR -u {VISITORS + keep} -r {VISITORS + keep}"
    command = [sys.executable, "-m", "locust", "-f", str(USERS), *classes, *options.split()]
    command += ["--tags", tag, "-t", f"{seconds:.0f}s", "--host", served.url]
    with Memory(served) as memory:
        before, spent, started = served.busy(), _ended_seconds(), time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        took, after = time.perf_counter() - started, served.busy()
    if not done.stdout.strip():
        raise RuntimeError(f"locust failed:\n{done.stderr}")
    stats = json.loads(done.stdout)
    busy = {name: after[name] - before[name] for name in after}
    lasted = max(one["last_request_timestamp"] for one in stats) - min(one["start_time"] for one in stats)
    busy["locust"] = _ended_seconds() - spent
    return Run(stats, min(took, lasted), busy, memory.seen)


def _ended_seconds() -> float:
    """Processor seconds of all children that have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


class Memory:
    """Notes (web, worker) bytes every few seconds."""

    def __init__(self, served: Served, every: float = 2.0) -> None:
        self.served, self.every, self.seen = served, every, list[tuple[int, int]]()
        self._over, self._thread = threading.Event(), threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(self.every):
            self.seen.append((self.served.resident("web"), self.served.resident("worker")))

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def rates(data: Path, processes: int, seconds: float) -> None:
    """The mix, then similar pictures alone: as many as it gets, then half of that."""
    with serving(data, processes) as served:
        locust(served, data, "mix", 8)
        mix = locust(served, data, "mix", seconds)
        singles = [(kind, *_full_and_half(served, data, kind, seconds)) for kind in KINDS]
    web, worker = (max(one[i] for one in mix.memory) // MB for i in (0, 1))
    put(
        "Visitors",
        f"{_about(data, processes)} {VISITORS} visitors who never wait, {seconds:.0f} s. "
        f"Cores used: {mix.cores()}. Memory (PSS): web {web} MB, worker {worker} MB.\n\n"
        + table(HEADER, [*mix.rows(), mix.together("**all**")]),
    )
    lines = [line for kind, full, half in singles for line in _similar_lines(kind, full, half)]
    put(
        "Similar by a stored picture",
        f"{_about(data, processes)} The aims are 300 a second, and a p99 below 60 ms at half of what was reached. "
        f"`all` asks for real pictures only.\n\n{table(('method', *HEADER[1:], 'cores used'), lines)}",
    )


def _full_and_half(served: Served, data: Path, kind: str, seconds: float) -> tuple[Run, Run]:
    locust(served, data, kind, 4)
    full = locust(served, data, kind, seconds)
    return full, locust(served, data, kind, seconds, rate=full.rate / 2)


def _similar_lines(kind: str, full: Run, half: Run) -> list[Row]:
    return [(*run.together(f"`{kind}`, {name}"), run.cores()) for name, run in (("full", full), ("half", half))]


def soak(data: Path, processes: int, minutes: float, rate: float) -> None:
    """The mix at a steady rate, with uploads and deletions; then nothing may be missing."""
    journal_of(data).unlink(missing_ok=True)
    with serving(data, processes) as served:
        locust(served, data, "mix", 15, rate=rate)
        run = locust(served, data, "mix", 60 * minutes, rate=rate, keep=True)
        found = check(served, data)
    lines = [(f"{100 * i // 4}%", *(f"{size // MB}" for size in _around(run.memory, i / 4))) for i in range(5)]
    put(
        "Soak",
        f"{_about(data, processes)} {minutes:g} minutes of {VISITORS} visitors who ask {rate:g} times a second, while "
        f"another adds and deletes pictures. Cores used: {run.cores()}. {found}\n\n"
        + table(HEADER, [*run.rows(), run.together("**all**")])
        + "\n\nMemory (PSS) as it went on, MB:\n\n"
        + table(("time", "web", "worker"), lines),
    )


def _around(memory: Sequence[tuple[int, int]], place: float) -> tuple[int, int]:
    """The mean of a tenth of the samples there."""
    width = max(1, len(memory) // 10)
    start = int(place * (len(memory) - width))
    web, worker = np.mean(memory[start : start + width], axis=0)
    return int(web), int(worker)


def _about(data: Path, processes: int) -> str:
    listed = json.loads((data / "load.json").read_text())
    count, real = len(listed["ids"]), len(listed["real"])
    return (
        f"{count:,} pictures, {real:,} of them real files with real features; the others' are made, and in `local` "
        f"they are flat. SQLite, files; {processes} processes of the web server and one of the worker, "
        "which makes no map."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--pictures", type=Path, default=Path("../shared/data"))
    parser.add_argument("--data", type=Path, help="a folder to keep between runs")
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--real", type=int, default=10_000, help="how many of them are real files")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement of rates")
    parser.add_argument("--minutes", type=float, default=30.0, help="of the soak")
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second in the soak")
    parser.add_argument("--processes", type=int, default=2, help="of the web server")
    options = parser.parse_args()
    data, parts = options.data or Path(tempfile.mkdtemp()), options.parts or PARTS
    try:
        if "prepare" in parts:
            prepare(data, options.count, options.real, options.pictures)
        connect(data)
        if "rates" in parts:
            rates(data, options.processes, options.seconds)
        if "flood" in parts:
            with serving(data, options.processes) as served:
                put("A flood of uploads", f"{_about(data, options.processes)} {flood(served, data)}")
        if "backends" in parts:
            put("Embedded and Milvus", f"{_about(data, 1)} {backends(data)}")
        if "soak" in parts:
            soak(data, options.processes, options.minutes, options.rate)
    finally:
        if not options.data:
            shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main()
