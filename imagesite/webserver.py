"""How gunicorn serves the site: ``gunicorn imagesite.wsgi --config python:imagesite.webserver``. Options win over this.

Its processes count requests in one folder, so that /metrics tells of all of them whichever answers.
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
_memory = Path("/dev/shm")  # noqa: S108  (a heartbeat must not wait for a busy disk)
if _memory.is_dir():
    worker_tmp_dir = str(_memory)


def web_command(host: str, port: int, workers: int) -> list[str]:
    """How to start it with this."""
    options = ["--config", f"python:{__name__}", "--bind", f"{in_url(host)}:{port}", "--workers", str(workers)]
    return [sys.executable, "-m", "gunicorn", "imagesite.wsgi", *options]


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


COUNTS = "PROMETHEUS_MULTIPROC_DIR"
YOUNG = 60.0  # seconds
_PREFIX = "imagesite-metrics-"


def on_starting(server: Any) -> None:
    """Before processes are forked: an empty folder for what they count. A named one is emptied."""
    if named := os.environ.get(COUNTS):
        Path(named).mkdir(parents=True, exist_ok=True)
        for path in Path(named).glob("*.db"):
            path.unlink(missing_ok=True)
    else:
        _drop_orphaned()
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=_place())
        server.held = _lock(Path(folder))  # by this process and those it forks, until the last one is dead
        os.environ[COUNTS] = folder


def on_exit(server: Any) -> None:
    folder = Path(os.environ.get(COUNTS, ""))
    if folder.name.startswith(_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _drop_orphaned() -> None:
    """Folders of those who were killed before they could. A young one may not have been locked yet."""
    for folder in Path(_place()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time() - folder.stat().st_mtime > YOUNG:
                with _lock(folder):
                    shutil.rmtree(folder)


def _lock(folder: Path) -> IO[bytes]:
    """Raises OSError if somebody else has it."""
    file = (folder / "lock").open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def _place() -> str:
    return str(_memory) if _memory.is_dir() else tempfile.gettempdir()
