"""How fast it is: import, extraction per picture and space, query latency at 1,000 and 100,000 features.

``python -m benchmarks.speed [PICTURES]`` prints the tables and writes benchmarks/results/speed.md. Peers run in the
same process on the same data; the ratios mean more than the times, which are medians on a shared machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results" / "speed.md"
SIZES = (1_000, 100_000)
QUERIES = 200
K = 10
Row = tuple[str, ...]


def median_ms(call: Callable[[Any], object], arguments: Sequence[Any]) -> float:
    """Median milliseconds of one call, after one that is not counted."""
    call(arguments[0])
    times = []
    for argument in arguments:
        started = time.perf_counter()
        call(argument)
        times.append(time.perf_counter() - started)
    return 1000 * statistics.median(times)


def bench_import(files: Sequence[Path]) -> list[Row]:
    """Pictures per second through the service (check, decode, store), and through the worker's extraction."""
    from gallery.services import add_image
    from search.features.extraction import extract
    from search.jobs.extraction_queue import BATCH

    started = time.perf_counter()
    ids = [add_image(data=path.read_bytes(), file_name=path.name).image.pk for path in files]
    imported = time.perf_counter()
    for start in range(0, len(ids), BATCH):
        extract(ids[start : start + BATCH])
    extracted = time.perf_counter()
    return [
        ("import (hash, decode, store file and row)", f"{len(files)}", f"{len(files) / (imported - started):.0f}"),
        ("worker (decode, 3 thumbnails, every space)", f"{len(files)}", f"{len(files) / (extracted - imported):.0f}"),
    ]


def bench_extraction(files: Sequence[Path]) -> list[Row]:
    """Milliseconds per picture of decoding and of every space, beside the article's way of doing the same."""
    import cv2
    import imagehash
    import PIL.Image

    from gallery.decoding import decode
    from search.methods import METHODS, get_method

    datas = [path.read_bytes() for path in files]
    pictures = [decode(data).pixels for data in datas]
    everything: list[int] = [0, 1, 2]
    peers: dict[str, Callable[[Any], object]] = {
        "phash": lambda pixels: imagehash.phash(PIL.Image.fromarray(pixels), hash_size=16),
        "color": lambda pixels: cv2.calcHist([pixels], everything, None, [16, 16, 16], [0, 256] * 3),
    }
    rows = [("decode", f"{median_ms(decode, datas):.2f}", "", "")]
    for space in METHODS:
        ours = median_ms(get_method(space).extract, pictures)
        peer = median_ms(peers[space], pictures)
        rows.append((space, f"{ours:.2f}", f"{peer:.2f}", f"{peer / ours:.2f}"))
    return rows


def synthetic(space: str, count: int, dice: np.random.Generator) -> np.ndarray[Any, Any]:
    """Features with a little structure: noisy copies of fewer centres, in the space's own type."""
    from search.methods import get_method

    dimension = get_method(space).dimension
    owner = dice.integers(0, max(1, count // 20), count)
    if get_method(space).metric == "hamming":
        centres = dice.integers(0, 2**64, (count // 20 + 1, dimension), np.uint64)
        flips = dice.integers(0, 2**64, (count, dimension), np.uint64)
        for _ in range(3):  # each bit of the noise is set one time in sixteen
            flips &= dice.integers(0, 2**64, (count, dimension), np.uint64)
        return centres[owner] ^ flips
    centres = dice.normal(0, 1, (count // 20 + 1, dimension))
    noisy = centres[owner] + dice.normal(0, 0.5, (count, dimension))
    return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)


def bench_queries(space: str, count: int) -> list[Row]:
    """Latency and recall@10 of the space's index and of its tail's exact scan, beside a plain numpy scan."""
    from search.indexes import index_class
    from search.indexes.metrics import METRICS
    from search.methods import get_method
    from search.types import Matches

    dice = np.random.default_rng(7)
    method = get_method(space)
    features = synthetic(space, count, dice)
    keys = np.arange(count, dtype=np.int64)
    queries = features[dice.integers(0, count, QUERIES)]
    metric = METRICS[method.metric]

    def plain(query: Any) -> Matches:
        return Matches.ranked(keys, metric.distances(query, features), K)

    truth = [set(plain(query).keys.tolist()) for query in queries]
    scan = median_ms(plain, list(queries))
    rows = [(space, f"{count:,}", "numpy scan (peer)", f"{scan:.3f}", "1.000", "1.0", "")]
    for name in dict.fromkeys([method.index, "brute"]):
        index = index_class(name)(method.metric, method.dimension)
        started = time.perf_counter()
        index.add(keys, features)
        built = time.perf_counter() - started
        took = median_ms(lambda query, index=index: index.search(query, K), list(queries))
        hits = [
            len(real & set(index.search(query, K).keys.tolist())) for real, query in zip(truth, queries, strict=True)
        ]
        recall = sum(hits) / (K * QUERIES)
        rows.append((space, f"{count:,}", name, f"{took:.3f}", f"{recall:.3f}", f"{scan / took:.1f}", f"{built:.2f}"))
    return rows


def table(header: Row, rows: Sequence[Row]) -> str:
    """Markdown."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def report(pictures: Path) -> str:
    files = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in {".jpg", ".png"})
    queries = [row for count in SIZES for space in ("phash", "color") for row in bench_queries(space, count)]
    return "\n\n".join(
        [
            "# Speed",
            f"Made by `make bench` on {len(files)} pictures; medians, one thread, {os.cpu_count()} shared cores.",
            "## Import",
            table(("step", "pictures", "pictures a second"), bench_import(files)),
            "## Extraction, milliseconds a picture",
            table(("step", "ours", "imagehash / OpenCV", "times faster"), bench_extraction(files[:200])),
            f"## Queries, k = {K}, synthetic features",
            table(("space", "features", "index", "ms", "recall@10", "times faster", "build s"), queries),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="?", type=Path, default=Path("../shared/data/caltech"))
    pictures = parser.parse_args().pictures
    if not pictures.is_dir():
        raise SystemExit(f"No such folder: {pictures}. Name a folder of pictures: make bench PICTURES=...")
    with tempfile.TemporaryDirectory() as data:
        os.environ |= {"IMAGESITE_DATA": data, "DJANGO_SETTINGS_MODULE": "imagesite.settings"}
        os.environ |= {"CELERY_BROKER_URL": "memory://", "LOG_LEVEL": "WARNING"}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        text = report(pictures)
    print(text)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
