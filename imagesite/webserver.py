"""Configuration of gunicorn: ``gunicorn imagesite.wsgi --config python:imagesite.webserver``. Options win over it.

Its processes count requests in one folder, so that /metrics has the sum whichever of them answers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import time
from typing import IO, Any

threads = 8  # one slow client holds up a thread, not a process
timeout = 60
graceful_timeout = 5
keepalive = 5
loglevel = "warning"
control_socket_disable = True
_in_memory = Path("/", "dev", "shm")
if _in_memory.is_dir():
    worker_tmp_dir = str(_in_memory)  # a worker whose heartbeat waits for a busy disk would be killed


def web_command(host: str, port: int, workers: int) -> list[str]:
    """The command that starts gunicorn with this configuration."""
    options = ["--config", f"python:{__name__}", "--bind", f"{in_url(host)}:{port}", "--workers", str(workers)]
    return [sys.executable, "-m", "gunicorn", "imagesite.wsgi", *options]


def in_url(host: str) -> str:
    """The host as a URL has it: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host


METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # variable of prometheus_client
GRACE = 60.0  # seconds in which a new folder may not be locked yet
_PREFIX = "imagesite-metrics-"


def on_starting(server: Any) -> None:
    """Before processes are forked: give them an empty folder for their counters. A named one is emptied."""
    if named := os.environ.get(METRICS_FOLDER):
        Path(named).mkdir(parents=True, exist_ok=True)
        for path in Path(named).glob("*.db"):
            path.unlink(missing_ok=True)
    else:
        _remove_orphaned()
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=_parent())
        server.metrics_lock = _lock(Path(folder))  # held by this process and those it forks, until the last one ends
        os.environ[METRICS_FOLDER] = folder


def on_exit(server: Any) -> None:
    """Delete the folder of this server's metrics, as gunicorn stops."""
    folder = Path(os.environ.get(METRICS_FOLDER, ""))
    if folder.name.startswith(_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_orphaned() -> None:
    """Remove folders of servers that were killed: nobody holds their lock."""
    for folder in Path(_parent()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time() - folder.stat().st_mtime > GRACE:
                with _lock(folder):
                    shutil.rmtree(folder)


def _lock(folder: Path) -> IO[bytes]:
    """The lock of a folder, until it is closed. Raises OSError if another process holds it."""
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def _parent() -> str:
    return str(_in_memory) if _in_memory.is_dir() else tempfile.gettempdir()
