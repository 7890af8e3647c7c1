"""Storage of files: on this machine's disk, so that a crash leaves a complete file or none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from botocore.exceptions import BotoCoreError, ClientError
from django.core.files import File
from django.core.files.storage import FileSystemStorage
from django.utils.translation import gettext_lazy as _

from gallery.exceptions import StorageUnavailable

PLAIN = re.compile(r"\w[\w/-]*(\.\w+)?", re.ASCII)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Raises StorageUnavailable for what storages raise when they do not answer. A missing file is something else."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, BotoCoreError, ClientError) as error:
        text = _("Files cannot be stored or read right now. Try again later (%(kind)s).")
        raise StorageUnavailable("unavailable", text, kind=type(error).__name__) from error


class DurableFileSystemStorage(FileSystemStorage):
    """Replaces what has the same name, atomically; on disk when ``save`` returns.

    Django's own storage would pick another name, and leaves a torn file if the process is killed.
    """

    def url(self, name: str | None) -> str:
        """The same as Django's, which takes eight times as long: names of pictures need no quoting."""
        return f"{self.base_url}{name}" if name and PLAIN.fullmatch(name) else super().url(name)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """The same name: files are named by their content, so one of this name has the same bytes."""
        return name

    def _save(self, name: str, content: File[bytes]) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder: a rename is atomic only within a file system.
        with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as out:
            try:
                for chunk in content.chunks():
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
                Path(out.name).chmod(0o644)  # temporary files are 0600, and a proxy that serves media is another user
                Path(out.name).replace(path)
            except BaseException:  # also Ctrl-C and the end of a worker
                Path(out.name).unlink(missing_ok=True)
                raise
        return name
