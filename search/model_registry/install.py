"""Installs encoders by ``manage.py fetch_models`` in its own process: it may load libraries that workers never do."""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from search.exceptions import JobClosed
from search.jobs.progress import closing
from search.jobs.queue import send
from search.model_registry.models import Fetch

POLL_SECONDS = 1.0  # how often a silent process is checked, and so how soon a cancelled one stops
GRACE_SECONDS = 30.0  # for a cancelled process to clean up and end by itself
ERROR_LINES = 20  # of the output, for the error
STEPS = re.compile(r": (\d+) of (\d+)$")  # as fetch_models writes them where it has no terminal


def request(*, name: str, user: User | None = None) -> Fetch:
    """Ask a worker to install an encoder. Returns at once."""
    fetch = Fetch.objects.create(name=name, requested_by=user)
    transaction.on_commit(partial(send, "search.model_registry.tasks.run", fetch.pk))
    return fetch


def run(fetch_id: int) -> None:
    """Install it, unless another worker does or did; an error closes it with the reason."""
    fetch = Fetch.objects.filter(pk=fetch_id).first()
    if fetch is None or not fetch.claim():
        return
    with closing(fetch), _started(fetch.name) as process:
        try:
            written = _followed(fetch, process)
        except JobClosed:
            _stop(process)
            raise
        if process.wait():
            fetch.fail("\n".join(written) or f"Ended with {process.returncode}.")
        else:
            fetch.finish(stage=fetch.stage)


def _started(name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(name),
        cwd=settings.BASE_DIR,
        env=os.environ | {"IMAGESITE_DATA": str(settings.DATA), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    )


def _followed(fetch: Fetch, process: subprocess.Popen[bytes]) -> Sequence[str]:
    """Note each line as it comes; returns the last lines when the process has closed its output. Raises JobClosed."""
    last: deque[str] = deque(maxlen=ERROR_LINES)
    for line in _lines(process):
        if line:
            last.append(line)
        steps = STEPS.search(line)
        done, total = map(int, steps.groups()) if steps else (fetch.done, fetch.total)
        fetch.note(stage=(line or fetch.stage)[:200], done=done, total=total)
    return last


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let the command end as when it is interrupted, which removes its unfinished folder; else kill it."""
    process.terminate()
    try:
        process.communicate(timeout=GRACE_SECONDS)  # reads on, for a full pipe would hold the process
    except subprocess.TimeoutExpired:
        process.kill()


def command(*names: str) -> list[str]:
    """The command line; a name that begins with a dash is no option."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "fetch_models", "--no-color", "--", *names]


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """What the process writes, a line at a time; "" every ``POLL_SECONDS`` while it writes nothing."""
    output: IO[bytes] | None = process.stdout
    if output is None:
        return
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        rest = b""
        while True:
            if not selector.select(POLL_SECONDS):
                yield ""
                continue
            if not (part := os.read(output.fileno(), 65_536)):
                break
            # Progress bars rewrite their line with a carriage return.
            *complete, rest = (rest + part).replace(b"\r", b"\n").split(b"\n")
            yield from (text for line in complete if (text := line.decode(errors="replace").strip()))
    if rest.strip():
        yield rest.decode(errors="replace").strip()
