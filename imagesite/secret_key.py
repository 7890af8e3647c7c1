"""The signing key of a site that names none: made once, and stored in the data folder."""

import contextlib
import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key


def read_or_make(path: Path) -> str:
    """The key in ``path``; a new one is written first if there is none. Raises ImproperlyConfigured."""
    try:
        if not path.exists():
            _make(path)
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {path.parent} cannot be used ({error.strerror}). Set IMAGESITE_DATA to another."
        ) from error


def _make(path: Path) -> None:
    """Write a complete key, then link it into place: of two processes that start at once, the first one wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the database there has tokens and sessions
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(get_random_secret_key())
    with contextlib.suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()
