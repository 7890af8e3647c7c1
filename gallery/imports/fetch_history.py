"""Which pictures were fetched from where, so that an import that goes on does not fetch them again.

In a file of its own and not in the database: losing it costs only time.
"""

from __future__ import annotations

import sqlite3
from functools import cached_property
from pathlib import Path

from django.conf import settings

from gallery.models import Image

NAME = "imports.sqlite3"
TABLE = "CREATE TABLE IF NOT EXISTS seen (origin TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID"


class FetchHistory:
    """Safe for several processes at once, and when one is killed. Raises OSError where it cannot be written."""

    @cached_property
    def _database(self) -> sqlite3.Connection:
        path = Path(settings.DATA) / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, isolation_level=None, timeout=60)
        # A power cut may lose the last rows, whose pictures are fetched again then.
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=OFF")
        database.execute(TABLE)
        return database

    def contains(self, origin: str) -> bool:
        """Whether this was imported, and its picture is still shown."""
        rows = self._run("SELECT sha256 FROM seen WHERE origin = ?", origin)
        return bool(rows) and Image.objects.filter(sha256=rows[0][0]).exists()

    def add(self, origin: str, sha256: str) -> None:
        """Call when the picture is stored, not before: a kill in between must not lose it."""
        self._run("INSERT OR REPLACE INTO seen VALUES (?, ?)", origin, sha256)

    def close(self) -> None:
        if "_database" in self.__dict__:
            self._database.close()

    def _run(self, command: str, *values: str) -> list[tuple[str]]:
        try:
            return self._database.execute(command, values).fetchall()
        except sqlite3.Error as error:
            raise OSError(f"{NAME} in the data folder, which may be deleted: {error}") from error
