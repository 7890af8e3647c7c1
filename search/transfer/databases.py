"""The database as one file, and back: SQLite by its online backup, PostgreSQL by its own programs."""

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

from search.transfer.exceptions import Damaged, MovingError

Query = Callable[[str], Iterator[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of database is kept.

    ``dumped`` writes a file, and asks the very state that is in it while it lasts. ``check`` raises Damaged.
    ``load`` puts the file in the place of all that there is, at once or not at all. ``keeps_tables`` if tables that
    the file does not know stay.
    """

    file: str
    dumped: Callable[[Path], AbstractContextManager[Query]]
    check: Callable[[Path], None]
    load: Callable[[Path], None]
    keeps_tables: bool


def kind() -> Kind:
    """That of this site. Raises MovingError."""
    if connection.vendor not in KINDS:
        raise MovingError(f"Backups of {connection.vendor} are made with its own programs.")
    return KINDS[connection.vendor]


@contextmanager
def _dumped_sqlite(path: Path) -> Iterator[Query]:
    """Readers and writers go on meanwhile."""
    with closing(sqlite3.connect(path)) as copy:
        with closing(sqlite3.connect(_live())) as live:
            live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, with none beside it
        yield lambda command: iter(copy.execute(command))


def _check_sqlite(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)) as copy:
            found = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise Damaged(f"{path.name} is damaged: {error}") from error
    if found != "ok":
        raise Damaged(f"{path.name} is damaged: {found}")


def _load_sqlite(path: Path) -> None:
    """One transaction: who reads meanwhile sees all of the old or all of the new."""
    connection.close()
    address = f"{path.absolute().as_uri()}?immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as copy, closing(sqlite3.connect(_live())) as live:
        live.execute("PRAGMA journal_mode=WAL")
        copy.backup(live)


def _live() -> str:
    return str(connection.settings_dict["NAME"])


@contextmanager
def _dumped_postgresql(path: Path) -> Iterator[Query]:
    """The dump and the questions see one and the same state."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute("SELECT pg_export_snapshot()")
        [(state,)] = cursor.fetchall()
        _run("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={state}", f"--file={path}")

        def ask(command: str) -> Iterator[tuple[Any, ...]]:
            with connection.chunked_cursor() as rows:
                rows.execute(command)
                yield from rows

        yield ask


def _check_postgresql(path: Path) -> None:
    try:
        _run("pg_restore", "--list", str(path), connected=False)
    except MovingError as error:
        raise Damaged(str(error)) from error


def _load_postgresql(path: Path) -> None:
    connection.close()
    options = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
    _run("pg_restore", *options, str(path))


def _run(name: str, *arguments: str, connected: bool = True) -> None:
    """Run one of PostgreSQL's programs; its password goes by its environment. Raises MovingError."""
    program = shutil.which(name)
    if program is None:
        raise MovingError(f"{name} is not installed here: apt-get install postgresql-client.")
    where, environment = DatabaseClient.settings_to_cmd_args_env(connection.settings_dict, [])
    if named := connection.settings_dict["NAME"]:
        where = [*where[:-1], f"--dbname={named}"]
    command = [program, *(["--no-password", *where[1:]] if connected else []), *arguments]
    done = subprocess.run(  # noqa: S603 (the program and its options are ours)
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
        raise MovingError(f"{name} failed: {done.stderr.strip()[-1000:]}")


KINDS = {
    "sqlite": Kind("database.sqlite3", _dumped_sqlite, _check_sqlite, _load_sqlite, keeps_tables=False),
    "postgresql": Kind("database.dump", _dumped_postgresql, _check_postgresql, _load_postgresql, keeps_tables=True),
}
