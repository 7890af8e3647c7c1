"""The collected static files: compressing them takes most of a minute, so it is done once for the same files."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from imagesite.management import startup


def collect() -> None:
    """Fill STATIC_ROOT as ``collectstatic`` does, from a copy that an earlier session has left if there is one."""
    ready = Path(tempfile.gettempdir()) / f"imagesite-tests-static-{_digest()}"
    if not ready.is_dir():
        call_command("collectstatic", interactive=False, verbosity=0)
        _publish(Path(settings.STATIC_ROOT), ready)
    else:
        shutil.copytree(ready, settings.STATIC_ROOT, dirs_exist_ok=True)


def copy_to(folder: Path) -> None:
    """The collected files, for another site: it starts as one that has collected them before."""
    shutil.copytree(settings.STATIC_ROOT, folder, copy_function=os.link)
    (folder / ".collected").write_text(startup._state_of_static_files())


def _digest() -> str:
    """Of everything that collected files are made from: names, bytes, and what makes them."""
    digest = hashlib.sha256(repr(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            digest.update(path.encode() + storage.open(path).read())
    return digest.hexdigest()[:16]


def _publish(collected: Path, ready: Path) -> None:
    """Copy, then rename: a session that starts meanwhile sees all files or none."""
    unfinished = Path(tempfile.mkdtemp(prefix="imagesite-tests-static-", dir=ready.parent))
    shutil.copytree(collected, unfinished, dirs_exist_ok=True)
    try:
        unfinished.rename(ready)
    except OSError:  # another session was faster
        shutil.rmtree(unfinished)
