"""A site with 100,000 pictures to be put under load, and the processes that serve it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow

from benchmarks.live_space import ROOT
from gallery.decoding import decode
from gallery.exceptions import ImageRejected

HERE = "127.0.0.1"
SMALLEST = 64  # pixels
PHOTOS = 20  # files that searches upload
BATCH = 32


def variations(files: Sequence[Path], count: int) -> Iterator[bytes]:
    """JPEGs that nobody has: parts of these pictures, half of them mirrored, lighter or darker."""
    dice = np.random.default_rng(5)
    for i in range(count):
        yield variation(files[i % len(files)], dice)


def usable(folder: Path) -> list[Path]:
    """Sound JPEGs that are large enough to be cut; some of the collection are broken on purpose."""
    return [path for path in sorted(folder.rglob("*.jpg")) if _is_usable(path)]


def _is_usable(path: Path) -> bool:
    try:
        return min(decode(path.read_bytes()).pixels.shape[:2]) >= SMALLEST
    except ImageRejected:
        return False


def variation(path: Path, dice: np.random.Generator) -> bytes:
    picture = Pillow.fromarray(decode(path.read_bytes()).pixels)
    share, (width, height) = dice.uniform(0.75, 0.98), picture.size
    left, top = (int(dice.integers(0, max(1, side - share * side))) for side in (width, height))
    part = picture.crop((left, top, left + int(share * width), top + int(share * height)))
    if dice.random() < 0.5:
        part = part.transpose(Pillow.Transpose.FLIP_LEFT_RIGHT)
    light = dice.uniform(0.8, 1.2)
    out = BytesIO()
    part.point(lambda value: min(255, int(value * light))).save(out, "JPEG", quality=88)
    return out.getvalue()


def connect(data: Path) -> None:
    """Let this process work on a data folder."""
    os.environ |= {"IMAGESITE_DATA": str(data), "DJANGO_SETTINGS_MODULE": "imagesite.settings"}
    os.environ |= {"LOG_LEVEL": "ERROR", "SWEEP_SECONDS": "10"}
    import django

    django.setup()


def prepare(data: Path, count: int, real: int, pictures: Path) -> None:
    """Fill a data folder; what a run before has done is not done again."""
    connect(data)
    from django.core.management import call_command

    from gallery.models import Image
    from search.features.versions import states_of
    from search.methods import METHODS
    from search.snapshots.build import build, due

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("fetch_models", stdout=sys.stdout)
    files = usable(pictures)
    if not Image.objects.exists():
        _timed(f"{count - real:,} made pictures", _make_rows, count - real)
    added = Image.objects.filter(bytes__gt=1).count()
    _timed(f"{real - added:,} real pictures", _add_real, list(variations(files, real))[added:])
    for state in states_of(METHODS):
        if due(state):
            _timed(f"index of {state.name}", build, state.name)
    _forgo()
    _write_list(data, files)


def _forgo() -> None:
    """No map, which would keep the worker busy for minutes (no space gets one after a failure), and no duplicates.

    Made pictures have no files that could be compared.
    """
    from search.duplicates.models import Cursor
    from search.features.versions import states_of
    from search.map.models import Layout
    from search.methods import METHODS

    for state in states_of(METHODS):
        if not Layout.objects.filter(space=state.name).exists():
            Layout.objects.create(space=state.name, state=Layout.State.FAILED)
        seen = {"sequence": state.position.sequence, "version": state.serving.version}
        Cursor.objects.update_or_create(space=state.name, defaults=seen)


def _timed(what: str, call: Any, *arguments: Any) -> None:
    started = time.perf_counter()
    call(*arguments)
    print(f"{what}: {time.perf_counter() - started:.0f} s", flush=True)


def _make_rows(count: int) -> None:
    """Pictures without files, with features; in `local` they are flat, since 100,000 real ones need 5 GB."""
    from django.db import transaction

    from benchmarks.queries import ROWS_AT_ONCE, put, stored
    from gallery.models import Image
    from search.methods import METHODS, get_method

    flat = get_method("local").extract(np.full((64, 64, 3), 128, np.uint8))
    about = {"width": 640, "height": 480, "format": "JPEG", "bytes": 1, "thumbnailed": True}
    with transaction.atomic():
        rows = (Image(sha256=f"{i:064x}", title=f"made {i}", **about) for i in range(count))
        Image.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)
        ids = list(Image.objects.order_by("pk").values_list("pk", flat=True))
        for space in METHODS:
            made = stored(space, count, np.random.default_rng(7), ()) if space != "local" else [flat] * count
            put(space, ids, made)


def _add_real(datas: Sequence[bytes]) -> None:
    """As uploads and a worker do it."""
    from gallery.services import add_image_unannounced
    from search.features import extraction

    for start in range(0, len(datas), BATCH):
        some = datas[start : start + BATCH]
        ids = [
            add_image_unannounced(data=data, title=f"real {start + i}", tags=[f"tag {i % 50}"]).image.pk
            for i, data in enumerate(some)
        ]
        extraction.extract(ids)


def _write_list(data: Path, files: Sequence[Path]) -> None:
    """What the visitors ask for, as JSON: see benchmarks/load_users.py."""
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    from gallery.models import Image

    boss, _ = User.objects.get_or_create(username="boss", is_superuser=True)
    real = Image.objects.filter(bytes__gt=1).order_by("pk")
    photos = data / "photos"
    photos.mkdir(exist_ok=True)
    for i, photo in enumerate(variations(files[:: max(1, len(files) // PHOTOS)], PHOTOS)):
        (photos / f"{i}.jpg").write_bytes(photo)
    listed = {
        "token": Token.objects.get_or_create(user=boss)[0].key,
        "ids": list(Image.objects.order_by("pk").values_list("pk", flat=True)),
        "real": list(real.values_list("pk", flat=True)),
        "thumbnails": [image.thumbnail_url(256) for image in real],
        "photos": [str(path) for path in sorted(photos.iterdir())],
        "files": [str(path.resolve()) for path in files],
    }
    (data / "load.json").write_text(json.dumps(listed))


class Served:
    """The web server and the worker, started as ``manage.py serve`` starts them."""

    def __init__(self, data: Path, processes: int) -> None:
        from imagesite.management.commands.serve import answers, web_command, worker_command

        with socket.socket() as probe:
            probe.bind((HERE, 0))
            self.port = int(probe.getsockname()[1])
        environment = os.environ | {"IMAGESITE_DATA": str(data)}
        commands = {"web": web_command(HERE, self.port, processes), "worker": worker_command(1)}
        self.started = {
            name: subprocess.Popen(command, cwd=ROOT, env=environment) for name, command in commands.items()
        }
        until = time.monotonic() + 120
        while not answers(HERE, self.port):
            if time.monotonic() > until:
                raise RuntimeError("The web server did not start.")
            time.sleep(0.2)

    @property
    def url(self) -> str:
        return f"http://{HERE}:{self.port}"

    def resident(self, name: str) -> int:
        """Bytes of the server's or the worker's processes; pages that they share count once (PSS)."""
        return sum(_shared_out(pid) for pid in _family(self.started[name].pid))

    def busy(self) -> dict[str, float]:
        """Seconds of processor time so far."""
        return {
            name: sum(_processor_seconds(pid) for pid in _family(process.pid)) for name, process in self.started.items()
        }

    def stop(self) -> None:
        for process in self.started.values():
            process.terminate()
        for process in self.started.values():
            process.wait()


@contextmanager
def serving(data: Path, processes: int) -> Iterator[Served]:
    served = Served(data, processes)
    try:
        yield served
    finally:
        served.stop()


def _family(pid: int) -> Iterable[int]:
    """A process and all below it."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _shared_out(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
