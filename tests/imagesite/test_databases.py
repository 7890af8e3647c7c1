"""What DATABASE_URL makes of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from imagesite.databases import CONNECTION_SECONDS, database


def test_without_a_url_it_is_sqlite_in_the_data_folder_with_one_writer_at_a_time() -> None:
    found = database("", Path("/data"))
    assert (found["ENGINE"], found["NAME"]) == ("django.db.backends.sqlite3", "/data/db.sqlite3")
    assert found["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in found["OPTIONS"]["init_command"]


def test_postgresql_gets_timeouts_and_keeps_its_connections() -> None:
    found = database("postgres://me:secret@db.example:5433/pictures", Path("/data"))
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", 5433, "pictures")
    assert found["OPTIONS"]["connect_timeout"] == 5
    assert found["CONN_HEALTH_CHECKS"]
    assert found["CONN_MAX_AGE"] == CONNECTION_SECONDS


def test_options_of_the_url_win_over_the_timeouts() -> None:
    found = database("postgres://me@db.example/pictures?connect_timeout=30&sslmode=require", Path("/data"))
    assert found["OPTIONS"]["connect_timeout"] == 30
    assert found["OPTIONS"]["sslmode"] == "require"
    assert found["OPTIONS"]["keepalives_idle"] == 10


def test_a_url_of_no_database_says_how_to_write_one() -> None:
    with pytest.raises(ImproperlyConfigured, match="postgres://user"):
        database("pictures", Path("/data"))
