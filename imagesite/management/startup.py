"""Checks and preparations before the site is served. A failed check is one line, with its cure."""

from __future__ import annotations

import hashlib
import shutil
import socket
import tempfile
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import Error, connection

MIN_FREE = 200_000_000  # bytes


def check_port(host: str, port: int) -> None:
    """Raises CommandError if nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CommandError(
                f"Cannot listen on {host} port {port}: {reason}. Choose another, as in PORT=8001."
            ) from error


def check_folder(folder: Path) -> None:
    """Raises CommandError if files cannot be stored there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise CommandError(
            f"Cannot write to {folder}: {error.strerror}. Set IMAGESITE_DATA to another folder."
        ) from error
    if free < MIN_FREE:
        message = f"Only {free / 1e6:.0f} MB are free in {folder}; {MIN_FREE / 1e6:.0f} MB are needed."
        raise CommandError(f"{message} Free some, or set IMAGESITE_DATA to a folder on another disk.")


def check_database() -> None:
    """Raises CommandError if the database does not answer."""
    try:
        connection.ensure_connection()
    except (Error, ImproperlyConfigured) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise CommandError(
            f"Cannot open the database: {first_line}. Check DATABASE_URL; docs/admin-guide.md explains it."
        ) from error


def collect_static_files() -> None:
    """Copy and compress them, if one has changed since the last time."""
    marker = settings.STATIC_ROOT / ".collected"
    state = _state_of_static_files()
    if not marker.exists() or marker.read_text() != state:
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        marker.write_text(state)


def _state_of_static_files() -> str:
    """A digest of names, sizes and times: reading all files would take longer than collecting them."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            stat = Path(storage.path(name)).stat()
            digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()
