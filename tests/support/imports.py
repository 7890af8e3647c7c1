"""Sources to import from, and what the command says of them."""

from __future__ import annotations

import csv
import io
import os
import tarfile
import zipfile
from io import StringIO
from pathlib import Path

from django.core.management import call_command

from gallery.models import Image
from tests.support.images import encode, scene


def picture(seed: int) -> bytes:
    return encode(scene(seed, (64, 48)))


def run(*paths: Path | str) -> tuple[str, dict[str, str]]:
    """What the command said last, and the code of everything that was rejected, by the end of its name."""
    report = Path(os.environ["IMAGESITE_DATA"]) / "report.csv"
    report.unlink(missing_ok=True)
    out = StringIO()
    call_command("import_images", *map(str, paths), "--report", str(report), stdout=out)
    rejected = {}
    if report.exists():
        with report.open() as file:
            rejected = {row["file"].rpartition("/")[2]: row["code"] for row in csv.DictReader(file)}
    return out.getvalue().strip().splitlines()[-1], rejected


def titles() -> set[str]:
    return set(Image.objects.values_list("title", flat=True))


def make_zip(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, entries: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
