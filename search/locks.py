"""A lock among all processes that dies with its holder, whatever the clock says."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

LOCKS = 7_311  # our class of PostgreSQL's advisory locks; those of one number, as for content, are others


@contextmanager
def exclusive(name: str) -> Iterator[bool]:
    """Try to take the lock of this name; yields False at once if another process, or a thread of this one, has it.

    Among processes of a machine a file is locked, and among machines that share a PostgreSQL the name in there.
    """
    settings.SNAPSHOT_ROOT.mkdir(parents=True, exist_ok=True)
    with (settings.SNAPSHOT_ROOT / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        if connection.vendor != "postgresql":
            yield True
            return
        with _advisory_lock(name) as free:
            yield free


@contextmanager
def _advisory_lock(name: str) -> Iterator[bool]:
    """On a connection of its own: the lock ends with it, and the work may close the usual one."""
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [LOCKS, name])
            free = bool(cursor.fetchone()[0])
        yield free
    finally:
        own.close()
