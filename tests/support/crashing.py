"""Builds that die: ``python -m tests.support.crashing SPACE`` kills one at its first step, the next at its second ...

Every build and every look at what it left is a process of its own. Prints one JSON line for each.
``python -m tests.support.crashing SPACE switch`` kills builds that let another version answer, and
``python -m tests.support.crashing SPACE hang`` stops in the middle of a build and stays there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")
FILE_EVENTS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


class Steps:
    """Counts what changes files or the database, and sends this process a signal at a chosen one."""

    def __init__(self, fatal: int, number: signal.Signals = signal.SIGKILL) -> None:
        self.left = fatal
        self.number = number

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)

    def watch(self) -> None:
        from django.db import connection

        flush = os.fsync
        sys.addaudithook(self.heard)
        os.fsync = lambda file: (self.count(), flush(file))[1]
        connection.execute_wrappers.append(self.executed)

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return
        if event in FILE_EVENTS and "snapshots" in str(arguments[0]):
            self.count()

    def executed(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not sql.startswith("SELECT"):
            self.count()
        return execute(sql, *rest)


def add(seed: int) -> int:
    from gallery.services import add_image
    from search.features.extraction import extract
    from tests.support.images import encode, scene

    image = add_image(data=encode(scene(seed, (60, 40)), "PNG")).image
    extract([image.pk])
    return image.pk


def build_and_die(space: str, seed: int, fatal: int) -> None:
    """Add a picture, delete another, and build; killed at its ``fatal``-th step."""
    from gallery.services import delete_images
    from search.snapshots import build

    delete_images(ids=[add(seed) - 2])
    Steps(fatal).watch()
    build.build(space)


def switch_and_die(space: str, seed: int, fatal: int) -> None:
    """Another encoder has everything; its index is built to take over; killed at its ``fatal``-th step."""
    from django.conf import settings

    from gallery.models import Image
    from search.features.extraction import extract
    from search.snapshots import build
    from tests.support import tiny_encoder

    tiny_encoder.make(settings.MODELS_ROOT, seed)
    add(seed)
    extract(list(Image.objects.values_list("pk", flat=True)))
    Steps(fatal).watch()
    build.build(space)


def hang(space: str) -> None:
    """Stop when a file of the new snapshot is being written."""
    from search.snapshots import build

    add(0)
    Steps(8, signal.SIGSTOP).watch()
    build.build(space)


def look(space: str) -> dict[str, object]:
    """What a fresh process finds, and what the next build leaves."""
    from django.conf import settings

    from search.features.store import current
    from search.features.versions import state_of
    from search.models import Snapshot, Space
    from search.retrieval.live import forget, view_of
    from search.snapshots import build

    stored = sorted(current(state_of(space)).values_list("image_id", flat=True))
    before = view_of(state_of(space))
    build.build(space)
    forget()
    after = view_of(state_of(space))
    rows = {Path(folder).name for folder in Snapshot.objects.filter(space=space).values_list("folder", flat=True)}
    folders = {path.name for path in (settings.SNAPSHOT_ROOT / space).iterdir()}
    newest = Space.objects.select_related("snapshot").get(pk=space)
    return {
        "found": before.keys().tolist() == after.keys().tolist() == stored,
        "problems": [before.problem or "", after.problem or ""],
        "clean": folders == rows,
        "built": newest.snapshot.sequence == newest.head and len(after.tail) == 0,
    }


def forked(call: Callable[..., object], *arguments: Any) -> int:
    """Run in a process of its own, which prints what the call returned; returns how it ended."""
    child = os.fork()
    if child == 0:
        answer = call(*arguments)
        if answer is not None:
            print(json.dumps(answer), flush=True)  # noqa: T201
        os._exit(0)
    return os.waitpid(child, 0)[1]


def begin(space: str) -> None:
    from django.conf import settings

    from search.snapshots import build
    from tests.support import tiny_encoder

    if settings.NEURAL_ENCODER == "tiny":
        tiny_encoder.make(settings.MODELS_ROOT, 0)
    for seed in range(3):
        add(seed)
    build.build(space)


def warm_up() -> None:
    """Load what all children need; they inherit it."""
    from search.retrieval import warmup

    warmup.warm_up()


def main(space: str, die: Callable[[str, int, int], None]) -> None:
    warm_up()
    forked(begin, space)
    fatal, ended = 0, signal.SIGKILL.value
    while ended == signal.SIGKILL:
        fatal += 1
        ended = forked(die, space, 10 + fatal, fatal)
        print(json.dumps({"ended": ended}), flush=True)  # noqa: T201
        forked(look, space)


if __name__ == "__main__":
    django.setup()
    if "hang" in sys.argv:
        hang(sys.argv[1])
    else:
        main(sys.argv[1], switch_and_die if "switch" in sys.argv else build_and_die)
