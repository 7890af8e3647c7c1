"""Child processes that run until this one is told to stop.

Why no package: honcho ends everything when one process dies; circus and supervisor put children in
process groups of their own, where neither a Ctrl-C nor a kill of our group would reach them.
Why no systemd: the site is to run with two commands, without root.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

GRACE = 10.0  # seconds to finish a request or task
STEADY = 30.0  # seconds after which a child counts as one that can start
MAX_PAUSE = 30.0  # seconds between two starts
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


@dataclass(slots=True)
class Child:
    """A command to keep running. ``niceness`` is added to this process's own."""

    name: str
    command: Sequence[str]
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.5

    def start(self, environment: Mapping[str, str]) -> None:
        self.started = monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=environment,
            stdin=subprocess.DEVNULL,
            preexec_fn=self._tie,
        )

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _tie(self) -> None:
        """In the child: stop when the supervisor is killed, and leave a Ctrl-C to it."""
        _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGINT})
        os.nice(self.niceness)


class Supervisor:
    """Runs children, restarts those that die, and stops them all."""

    def __init__(self, children: Sequence[Child], environment: Mapping[str, str]) -> None:
        self.children = children
        self.environment = environment
        self.stops = {signal.SIGINT, signal.SIGTERM}
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            self.stops.add(signal.SIGHUP)

    def run(self, ready: Callable[[], bool], announce: Callable[[], None]) -> int:
        """Until SIGINT, SIGTERM or SIGHUP; returns 1 if a child dies before all was ``ready``, else 0."""
        signal.pthread_sigmask(signal.SIG_BLOCK, self.stops)
        _prctl(PR_SET_CHILD_SUBREAPER, 1)
        announced = False
        for child in self.children:
            child.start(self.environment)
        while not self._stop_requested(0.3):
            if not announced and any(child.ended() for child in self.children):
                self.stop()
                return 1
            if not announced and ready():
                announced = True
                announce()
            self._restart_ended()
        self.stop()
        return 0

    def stop(self) -> None:
        """Ask all to end; after ``GRACE`` seconds, or at a second signal, kill what is left."""
        for child in self.children:
            if child.process and not child.ended():
                child.process.terminate()
        deadline = monotonic() + GRACE
        while monotonic() < deadline and not all(child.ended() for child in self.children):
            if self._stop_requested(0.1):
                break
        for child in self.children:
            if child.process and not child.ended():
                child.process.kill()
                child.process.wait()
        self._kill_orphans()

    def _stop_requested(self, seconds: float) -> bool:
        return signal.sigtimedwait(self.stops, seconds) is not None

    def _restart_ended(self) -> None:
        """Restart what died, after a pause that doubles while it keeps dying."""
        for child in self.children:
            if child.process and child.ended():
                child.pause = 0.5 if monotonic() - child.started > STEADY else min(2 * child.pause, MAX_PAUSE)
                sys.stderr.write(f"The {child.name} ended with {child.process.returncode}; it is started again.\n")
                child.process = None
                self._kill_orphans()
            if child.process is None and monotonic() - child.started > child.pause:
                child.start(self.environment)

    def _kill_orphans(self) -> None:
        """End processes whose parent died: this one inherits them as their subreaper (PR_SET_CHILD_SUBREAPER)."""
        known = {child.process.pid for child in self.children if child.process}
        while orphans := _own_children() - known:
            for pid in orphans:
                with suppress(ProcessLookupError, ChildProcessError):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)


def _own_children() -> set[int]:
    """Process ids of this process's children; none where there is no /proc."""
    with suppress(OSError):
        return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}
    return set()


def _prctl(option: int, value: int) -> None:
    """Call prctl(2). Linux only: elsewhere a killed supervisor leaves its children running."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
