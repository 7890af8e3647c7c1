"""What the site needs of each kind of database that DATABASE_URL may name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from imagesite.timeouts import POSTGRESQL

BACKENDS = "django.db.backends"
CONNECTION_SECONDS = 60  # that one is reused: connecting takes longer than a search

# IMMEDIATE: a transaction that reads first and writes later must not fail when another writer came between.
# synchronous=FULL: an upload that was answered with 201 survives a power cut.
SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 60,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-64000;",
}


def database(url: str, data: Path) -> dict[str, Any]:
    """The entry of DATABASES for a URL, or for SQLite in the data folder. Raises ImproperlyConfigured."""
    entry: dict[str, Any] = _parsed(url) if url else {"ENGINE": f"{BACKENDS}.sqlite3", "NAME": str(data / "db.sqlite3")}
    entry.setdefault("CONN_MAX_AGE", CONNECTION_SECONDS)
    if entry["ENGINE"] == f"{BACKENDS}.sqlite3":
        return entry | {"OPTIONS": dict(SQLITE)}
    entry.setdefault("CONN_HEALTH_CHECKS", True)
    if entry["ENGINE"] == f"{BACKENDS}.postgresql":
        entry["OPTIONS"] = POSTGRESQL | entry.get("OPTIONS", {})
    return entry


def _parsed(url: str) -> dict[str, Any]:
    with warnings.catch_warnings(action="ignore"):  # the error below says it better
        parsed: dict[str, Any] = Env.db_url_config(url)
    if not parsed.get("ENGINE"):
        raise ImproperlyConfigured("DATABASE_URL is not understood. Write it as postgres://user:password@host/name.")
    return parsed
