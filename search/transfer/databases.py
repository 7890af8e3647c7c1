"""A database -> one file -> a database: SQLite by its online backup, PostgreSQL by its own programs."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.backends.postgresql.client import DatabaseClient

from search.transfer.exceptions import Damaged, TransferError

Query = Callable[[str], Iterator[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Backend:
    """How one kind of database is dumped and loaded.

    ``dump`` writes the file, and gives a way to query the very state that is in it. ``check`` raises Damaged.
    ``load`` replaces the database by the file, entirely or not at all; ``keeps_tables`` if it leaves tables that the
    file does not know.
    """

    file: str
    dump: Callable[[Path], AbstractContextManager[Query]]
    check: Callable[[Path], None]
    load: Callable[[Path], None]
    keeps_tables: bool


def backend() -> Backend:
    """Of this site's database. Raises TransferError if it is neither SQLite nor PostgreSQL."""
    if connection.vendor not in BACKENDS:
        raise TransferError(f"Backups of {connection.vendor} are made with its own programs.")
    return BACKENDS[connection.vendor]


@contextmanager
def _dump_sqlite(path: Path) -> Iterator[Query]:
    """Readers and writers are not blocked meanwhile."""
    with closing(sqlite3.connect(path)) as copy:
        with closing(sqlite3.connect(_live())) as live:
            live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
        yield lambda command: iter(copy.execute(command))


def _check_sqlite(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as copy:
            result = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise Damaged(f"{path.name} is damaged: {error}") from error
    if result != "ok":
        raise Damaged(f"{path.name} is damaged: {result}")


def _load_sqlite(path: Path) -> None:
    """In one transaction: readers see all of the old database or all of the new one."""
    connection.close()
    address = f"{path.absolute().as_uri()}?immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as copy, closing(sqlite3.connect(_live())) as live:
        live.execute("PRAGMA journal_mode=WAL")
        copy.backup(live)


def _live() -> str:
    return str(connection.settings_dict["NAME"])


@contextmanager
def _dump_postgresql(path: Path) -> Iterator[Query]:
    """The dump and the queries see the same state, by an exported snapshot of a transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        [(state,)] = cursor.fetchall()
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={state}", f"--file={path}")

        def query(command: str) -> Iterator[tuple[Any, ...]]:
            with connection.chunked_cursor() as rows:
                rows.execute(command)
                yield from rows

        yield query


def _check_postgresql(path: Path) -> None:
    try:
        _run("pg_restore", "--list", str(path), connected=False)
    except TransferError as error:
        raise Damaged(str(error)) from error


def _load_postgresql(path: Path) -> None:
    connection.close()
    options = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
    _run("pg_restore", *options, str(path))


def _run(name: str, *arguments: str, connected: bool = True) -> None:
    """Run one of PostgreSQL's programs; the password goes by its environment, out of the process list.

    Raises TransferError.
    """
    program = shutil.which(name)
    if program is None:
        raise TransferError(f"{name} is not installed here: apt-get install postgresql-client.")
    server, environment = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    if database := connection.settings_dict["NAME"]:
        server = [*server[:-1], f"--dbname={database}"]
    command = [program, *(["--no-password", *server[1:]] if connected else []), *arguments]
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise TransferError(f"{name} failed: {done.stderr.strip()[-1000:]}")


BACKENDS = {
    "sqlite": Backend("database.sqlite3", _dump_sqlite, _check_sqlite, _load_sqlite, keeps_tables=False),
    "postgresql": Backend("database.dump", _dump_postgresql, _check_postgresql, _load_postgresql, keeps_tables=True),
}
