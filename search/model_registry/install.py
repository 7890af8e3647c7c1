"""Runs ``manage.py fetch_models`` beside the worker: what makes encoders may need libraries that workers never load."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import IO

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from search.jobs.queue import send
from search.model_registry.models import Fetch

BEAT = 5.0  # seconds between two signs of life
KEPT_LINES = 20  # of the output, for the error


def start(*, name: str, user: User | None = None) -> Fetch:
    """Ask the worker to fetch an encoder. Returns at once."""
    fetch = Fetch.objects.create(name=name, requested_by=user)
    transaction.on_commit(partial(send, "search.model_registry.tasks.run", fetch.pk))
    return fetch


def run(fetch_id: int) -> None:
    """Fetch it, unless somebody else does or did."""
    if not Fetch.objects.filter(pk=fetch_id, state=Fetch.State.QUEUED).update(
        state=Fetch.State.RUNNING, updated_at=timezone.now()
    ):
        return
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603
        command(Fetch.objects.values_list("name", flat=True).get(pk=fetch_id)),
        cwd=settings.BASE_DIR,
        env=os.environ | {"IMAGESITE_DATA": str(settings.DATA), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
    ) as process:
        for line in _lines(process):
            lines = [*lines, line][-KEPT_LINES:] if line else lines
            _note(fetch_id, stage=(lines or [""])[-1][:200])
    if process.returncode:
        _note(fetch_id, state=Fetch.State.FAILED, error="\n".join(lines) or f"Ended with {process.returncode}.")
    else:
        _note(fetch_id, state=Fetch.State.DONE)


def command(*names: str) -> list[str]:
    """The command line; a name that begins with a dash is no option."""
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), "fetch_models", "--no-color", "--", *names]


def _note(fetch_id: int, **changed: object) -> None:
    Fetch.objects.filter(pk=fetch_id).update(updated_at=timezone.now(), **changed)


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """What the process writes, a line at a time; "" now and then while it writes nothing."""
    output: IO[bytes] | None = process.stdout
    if output is None:
        return
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        rest = b""
        while True:
            if not selector.select(BEAT):
                yield ""
                continue
            if not (part := os.read(output.fileno(), 65_536)):
                break
            *whole, rest = (rest + part).replace(b"\r", b"\n").split(b"\n")
            yield from (text for line in whole if (text := line.decode(errors="replace").strip()))
    if rest.strip():
        yield rest.decode(errors="replace").strip()
