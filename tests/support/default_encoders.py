"""The default encoders for tests: made once for all sessions that have the same makers, and shared by all processes."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from pathlib import Path

from tests.support.paths import ROOT

CACHE = ROOT / ".pytest_cache" / "encoders"
UNUSED = 3 * 3600  # seconds; the encoders of makers that have changed since


def folder() -> Path:
    """Where they are, or will be: a folder of its own for every state of the makers."""
    digest = hashlib.sha256()
    for path in (*sorted((ROOT / "search" / "encoders").glob("*.py")), ROOT / "requirements-core.txt"):
        digest.update(path.read_bytes())
    return CACHE / digest.hexdigest()[:12]


def make_missing(root: Path) -> None:
    """Make those that are not there; some 30 seconds once."""
    from search.encoders import DEFAULTS, EncoderDamaged, EncoderMissing, load, make

    root.mkdir(parents=True, exist_ok=True)
    root.touch()
    for old in CACHE.glob("?" * 12):
        if time.time() - old.stat().st_mtime > UNUSED:
            shutil.rmtree(old)
    with (root.parent / "making.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in DEFAULTS:
            try:
                load(root, name)
            except (EncoderMissing, EncoderDamaged):
                make(name, root)
