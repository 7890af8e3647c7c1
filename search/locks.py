"""A lock among all processes that dies with its holder, whatever the clock says."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

LOCKS = 7_311  # first of the two numbers of PostgreSQL's advisory locks; gallery uses locks of a single number


@contextmanager
def exclusive(name: str) -> Iterator[bool]:
    """Try to take the lock of this name; yields at once whether it was free.

    A file excludes other processes of this machine, and an advisory lock those of all machines that share a PostgreSQL.
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
    """On a separate connection: the lock ends with it, and the work may close the usual one."""
    own = connection.copy()
    try:
        free = _ask(own, "pg_try_advisory_lock", name)
        try:
            yield free
        finally:
            # The server may notice a closed connection late, and whoever comes next would find the lock taken.
            if free:
                with suppress(DatabaseError):
                    _ask(own, "pg_advisory_unlock", name)
    finally:
        own.close()


def _ask(own: BaseDatabaseWrapper, function: str, name: str) -> bool:
    with own.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s, hashtext(%s))", [LOCKS, name])
        return bool(cursor.fetchone()[0])
