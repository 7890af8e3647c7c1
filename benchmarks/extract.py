"""How fast features are made: all spaces together and each alone, beside the article's way in the same run.

``python -m benchmarks.extract [PICTURES]`` writes benchmarks/results/extract.md and extract.png. Pictures come as they
are, and as JPEGs of 12 megapixels made from them. Both ways run in as many processes as there are cores; the parts
are measured alone, in one process, in processor time, which other programs do not lengthen.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import article
from benchmarks.speed import table

RESULTS = Path(__file__).parent / "results"
BATCH = 32
LARGE = (4000, 3000)
PROCESSES = os.cpu_count() or 1
Row = tuple[str, ...]


@dataclass
class Measured:
    """Of one set of pictures: pictures per second, and milliseconds of processor time a picture of each part."""

    name: str
    count: int
    rates: dict[str, float] = field(default_factory=dict)
    article_rates: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    article_parts: dict[str, float] = field(default_factory=dict)
    whole: float = 0.0
    covered: float = 0.0


def enlarged(paths: Sequence[Path], folder: Path) -> list[Path]:
    """JPEGs of 12 megapixels, with noise as a camera has it."""
    from PIL import Image

    dice, made = np.random.default_rng(0), []
    for path in paths:
        large = np.asarray(Image.open(path).convert("RGB").resize(LARGE, Image.Resampling.BICUBIC), np.int16)
        noisy = np.clip(large + dice.integers(-6, 7, large.shape[:2], np.int16)[:, :, None], 0, 255)
        made.append(folder / f"{path.parent.name}-{path.stem}.jpg")
        Image.fromarray(noisy.astype(np.uint8)).save(made[-1], quality=90)
    return made


def start_child(data: str) -> None:
    """A process as the workers are: one thread, everything loaded."""
    import django

    os.environ |= {"IMAGESITE_DATA": data, "DJANGO_SETTINGS_MODULE": "imagesite.settings", "ENCODER_THREADS": "1"}
    os.environ |= {"LOG_LEVEL": "WARNING"}
    django.setup()
    import cv2

    from search.retrieval.warmup import warm_up

    cv2.setNumThreads(1)
    warm_up()


def start_article_child(path: str) -> None:
    article.warm_up(Path(path))


def extract(ids: Sequence[int], spaces: Sequence[str]) -> None:
    from search.features.extraction import extract

    extract(ids, spaces)


def ready(_: int) -> None:
    time.sleep(0.5)


@contextmanager
def processes(start: Callable[[str], None], argument: str) -> Iterator[ProcessPoolExecutor]:
    """All of them have started when this begins."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=start, initargs=(argument,)) as pool:
        list(pool.map(ready, range(PROCESSES)))
        yield pool


def rate(
    pool: ProcessPoolExecutor, count: int, call: Callable[..., None], arguments: Iterable[tuple[Any, ...]]
) -> float:
    """Pictures a second until all calls have returned."""
    started = time.perf_counter()
    for each in [pool.submit(call, *some) for some in arguments]:
        each.result()
    return count / (time.perf_counter() - started)


def asked_for(spaces: Sequence[str]) -> dict[str, list[str]]:
    return {"all": list(spaces), **{space: [space] for space in spaces}}


def our_rates(pool: ProcessPoolExecutor, ids: Sequence[int], spaces: Sequence[str]) -> dict[str, float]:
    from search.models import Feature

    found = {}
    size = max(1, min(BATCH, len(ids) // (4 * PROCESSES)))  # few pictures: no process shall wait long for another
    for name, asked in asked_for(spaces).items():
        Feature.objects.all().delete()
        batches = [(ids[start : start + size], asked) for start in range(0, len(ids), size)]
        found[name] = rate(pool, len(ids), extract, batches)
        assert Feature.objects.count() == len(ids) * len(asked)
    return found


def article_rates(pool: ProcessPoolExecutor, paths: Sequence[Path], spaces: Sequence[str]) -> dict[str, float]:
    return {
        name: rate(pool, len(paths), article.extract, [(str(path), asked) for path in paths])
        for name, asked in asked_for(spaces).items()
    }


def cpu(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def our_parts(paths: Sequence[Path], ids: Sequence[int], spaces: Sequence[str]) -> tuple[dict[str, float], float]:
    """Milliseconds of each part alone, and of the whole, a picture."""
    from gallery.decoding import decode
    from gallery.services import limits
    from search.features.extraction import extract
    from search.methods import get_method
    from search.methods.base import Picture
    from search.models import Feature

    times: dict[str, float] = dict.fromkeys(("read and decode", *spaces), 0.0)
    for start in range(0, len(paths), BATCH):
        pictures: list[Picture] = []
        some = paths[start : start + BATCH]

        def read(some: Sequence[Path] = some, pictures: list[Picture] = pictures) -> None:
            pictures += [Picture(decode(path.read_bytes(), limits=limits()).pixels) for path in some]

        times["read and decode"] += cpu(read)
        for space in spaces:
            times[space] += cpu(partial(get_method(space).extract_many, pictures))
    Feature.objects.all().delete()
    whole = cpu(lambda: [extract(ids[start : start + BATCH], spaces) for start in range(0, len(ids), BATCH)])
    return {name: 1000 * took / len(paths) for name, took in times.items()}, 1000 * whole / len(paths)


def article_parts(paths: Sequence[Path], spaces: Sequence[str]) -> dict[str, float]:
    took = {space: cpu(lambda space=space: [article.WAYS[space](path) for path in paths]) for space in spaces}
    return {space: 1000 * seconds / len(paths) for space, seconds in took.items()}


def measure(name: str, paths: Sequence[Path], data: str) -> Measured:
    from gallery.models import Image
    from gallery.services import add_image_unannounced
    from search.methods import METHODS

    Image.objects.all().delete()
    added = [add_image_unannounced(data=path.read_bytes()) for path in paths]
    # Thumbnails are the gallery's, whatever is searched; the article makes none.
    ids = [one.image.pk for one in added if one.created]
    Image.objects.update(thumbnailed=True)
    paths = [path for path, one in zip(paths, added, strict=True) if one.created]
    spaces, found = list(METHODS), Measured(name, len(ids))
    with processes(start_child, data) as pool:
        found.rates = our_rates(pool, ids, spaces)
    with processes(start_article_child, str(paths[0])) as pool:
        found.article_rates = article_rates(pool, paths, spaces)
    found.parts, found.whole = our_parts(paths, ids, spaces)
    found.article_parts = article_parts(paths, spaces)
    found.covered = sum(found.parts.values()) / found.whole
    return found


def rates_table(found: Sequence[Measured]) -> str:
    rows: list[Row] = []
    for one in found:
        for space, ours in one.rates.items():
            theirs = one.article_rates[space]
            rows.append((one.name, space, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.1f}"))
    return table(("pictures", "space", "pictures a second", "the article's way", "times faster"), rows)


def parts_table(found: Sequence[Measured]) -> str:
    rows: list[Row] = []
    for one in found:
        for part, took in one.parts.items():
            theirs = one.article_parts.get(part)
            rows.append((one.name, part, f"{took:.2f}", f"{took / one.whole:.1%}", f"{theirs:.2f}" if theirs else ""))
        rest = one.whole - sum(one.parts.values())
        rows.append((one.name, "rest: database, batches", f"{rest:.2f}", f"{rest / one.whole:.1%}", ""))
        rows.append((one.name, "**whole**", f"{one.whole:.2f}", "", f"{sum(one.article_parts.values()):.2f}"))
    return table(("pictures", "part", "ms a picture", "share", "the article's way, ms"), rows)


def plot(found: Sequence[Measured]) -> None:
    """Two bars for each set of pictures, the article's way and ours, by parts."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    colours = dict(zip(("read and decode", *article.WAYS, "rest"), pyplot.get_cmap("tab10").colors, strict=False))
    figure, axes = pyplot.subplots(len(found), 1, figsize=(9, 1.9 * len(found) + 0.6), squeeze=False)
    for axis, one in zip(axes[:, 0], found, strict=True):
        ours = {**one.parts, "rest": max(0.0, one.whole - sum(one.parts.values()))}
        for height, parts in enumerate((ours, one.article_parts)):
            left = 0.0
            for part, took in parts.items():
                axis.barh(height, took, left=left, color=colours[part], label=part if height == 0 else None)
                left += took
            axis.text(left, height, f" {left:.0f} ms", va="center")
        axis.set_yticks([0, 1], ["this site", "the article's way"])
        axis.set_title(f"{one.name}: processor time a picture, all spaces", loc="left", fontsize=10)
        axis.margins(x=0.12)
    axes[0, 0].legend(ncols=3, fontsize=8, loc="lower right")
    figure.tight_layout()
    figure.savefig(RESULTS / "extract.png", dpi=110)


def report(found: Sequence[Measured]) -> str:
    sets = "; ".join(f"{one.count} {one.name}" for one in found)
    covered = ", ".join(f"{one.name} {one.covered:.0%}" for one in found)
    return "\n\n".join(
        [
            "# Extraction",
            f"Made by `make bench-extract`: {sets}. {PROCESSES} processes on {os.cpu_count()} shared cores for both "
            "ways, one thread each.\n\nThe article's way: imagehash, an OpenCV histogram, EfficientNet-Lite0 in torch "
            "(for `semantic` once more, with its classifier), and OpenCV's SIFT, each of which opens the file.",
            "## Pictures a second",
            rates_table(found),
            "## Parts, alone, in one process; processor time\n\n`neural` and `semantic` look through one network, "
            f"which runs once: its time is in the first of them. Decoding and kernels are of the whole: {covered}.",
            parts_table(found),
            "![Share of each part](extract.png)",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="?", type=Path, default=Path("../shared/data/caltech"))
    parser.add_argument("--small", type=int, default=480, help="pictures as they are")
    parser.add_argument("--large", type=int, default=48, help="pictures of 12 megapixels")
    options = parser.parse_args()
    files = sorted(path for path in options.pictures.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not files:
        raise SystemExit(f"No pictures in {options.pictures}. Name a folder: make bench-extract PICTURES=...")
    data = tempfile.mkdtemp()
    try:
        start_site(data)
        small = measure(options.pictures.name, files[:: max(1, len(files) // options.small)], data)
        large = enlarged(files[:: max(1, len(files) // options.large)], Path(data))
        found = [small, measure("12-megapixel JPEGs", large, data)]
    finally:
        shutil.rmtree(data, ignore_errors=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "extract.md").write_text(report(found) + "\n")
    plot(found)
    print(report(found))


def start_site(data: str) -> None:
    """A database, the default encoders and everything compiled."""
    os.environ |= {"IMAGESITE_DATA": data, "DJANGO_SETTINGS_MODULE": "imagesite.settings", "ENCODER_THREADS": "1"}
    os.environ["CELERY_BROKER_URL"] = "memory://"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("fetch_models", stdout=StringIO())
    start_child(data)


if __name__ == "__main__":
    main()
