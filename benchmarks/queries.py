"""How long a visitor waits: words, and an uploaded photograph of 12 megapixels, over a large collection.

``python -m benchmarks.queries [PICTURES]`` fills a data folder of its own with synthetic features of every space,
builds the indexes, and writes benchmarks/results/queries.md. Times are of a whole request to the API in this
process, from the bytes of the request to those of the answer; nothing is asked twice.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.extract import enlarged
from benchmarks.live_swap import waited_ms
from benchmarks.speed import synthetic, table

RESULTS = Path(__file__).parent / "results" / "queries.md"
ROWS_AT_ONCE = 2_000
THINGS = ("dog", "boat", "red car", "church", "tree in the snow", "child", "horse", "bridge", "cup", "city at night")
PLACES = ("on the beach", "in a garden", "on a table", "in the rain", "in front of a house", "seen from above")
Row = tuple[str, ...]


def texts() -> list[str]:
    return [f"a {thing} {place}" for place in PLACES for thing in THINGS]


def stored(space: str, count: int, dice: np.random.Generator, pictures: Sequence[Any]) -> Iterator[bytes]:
    """Features with a little structure; where rows say too little of them, those of real pictures again and again."""
    from search.methods import get_method
    from search.methods.color import STEPS

    method = get_method(space)
    if method.needs_encoder:
        return (row.tobytes() for row in synthetic(space, count, dice).astype(np.float16))
    if method.metric == "hamming":
        return (row.tobytes() + dice.bytes(96) for row in synthetic(space, count, dice))
    if method.is_vector_space:
        steps = np.clip(np.rint(synthetic(space, count, dice) * STEPS), -127, 127)
        return (row.tobytes() for row in steps.astype(np.int8))
    real = [method.extract(pixels) for pixels in pictures]
    return (real[i % len(real)] for i in range(count))


def fill(count: int, parts: int, pictures: Sequence[Any]) -> None:
    """Rows of pictures without files, and their features in every space."""
    from gallery.models import Image
    from search.methods import METHODS, method_class

    about = {"width": 640, "height": 480, "format": "JPEG", "bytes": 1, "thumbnailed": True}
    Image.objects.bulk_create((Image(sha256=f"{i:064x}", **about) for i in range(count)), batch_size=ROWS_AT_ONCE)
    ids = list(Image.objects.order_by("pk").values_list("pk", flat=True))
    for space in METHODS:
        some = ids[:parts] if method_class(space).finds_parts else ids
        put(space, some, stored(space, len(some), np.random.default_rng(7), pictures))


def put(space: str, ids: Sequence[int], datas: Iterable[bytes]) -> None:
    """As the program stores them, many at once."""
    from django.db import transaction

    from search.methods import get_method
    from search.models import Feature, Space

    Space.objects.get_or_create(pk=space)
    version = get_method(space).version
    with transaction.atomic():
        row = Space.objects.select_for_update().get(pk=space)
        rows = (
            Feature(space_id=space, version=version, image_id=key, data=data, sequence=row.head + i)
            for i, (key, data) in enumerate(zip(ids, datas, strict=True), start=1)
        )
        row_count = len(Feature.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE))
        row.advance(row_count)


def times(call: Callable[[Any], object], arguments: Sequence[Any]) -> list[tuple[float, float]]:
    """Milliseconds of each, and how many of them other programs had the processors; the first three do not count."""
    taken = []
    for argument in arguments:
        idle, started = waited_ms(), time.perf_counter()
        call(argument)
        taken.append((1000 * (time.perf_counter() - started), waited_ms() - idle))
    return taken[3:]


def percentiles(name: str, taken: Sequence[tuple[float, float]]) -> Row:
    whole, waited = np.array(taken).T
    net = np.percentile(whole - waited, 50)
    return (name, *(f"{np.percentile(whole, share):.1f}" for share in (50, 95, 99)), f"{net:.1f}", str(len(taken)))


def bench_words() -> list[Row]:
    from django.test import Client

    from search.methods import get_method, words_space
    from search.retrieval.engine import search
    from search.retrieval.queries import query_by_text

    client, asked = Client(headers={"host": "localhost"}), texts()

    def request(text: str) -> None:
        answer = client.get("/api/search/text/", {"q": text})
        assert answer.status_code == 200
        assert len(answer.json()["results"]) == 20, answer.json()["skipped"]

    def find(text: str) -> None:
        search(query_by_text(text, words_space()), method=words_space())

    return [
        percentiles("**request and answer**", times(request, asked)),
        percentiles("reading the words", times(get_method(words_space()).encode_text, asked)),
        percentiles("reading and searching", times(find, asked)),
    ]


def bench_upload(files: Sequence[Path]) -> list[Row]:
    from django.core.files.uploadedfile import SimpleUploadedFile
    from django.test import Client

    from gallery.decoding import decode
    from gallery.services import limits
    from search.methods import METHODS, get_method
    from search.methods.base import Picture
    from search.retrieval.engine import search
    from search.retrieval.queries import query_by_pixels

    client, datas = Client(headers={"host": "localhost"}), [file.read_bytes() for file in files]

    def request(data: bytes) -> None:
        file = SimpleUploadedFile("photo.jpg", data, "image/jpeg")
        answer = client.post("/api/search/image/", {"file": file})
        assert answer.status_code == 200
        assert answer.json()["skipped"] == {}

    rows = [percentiles("**request and answer, all spaces**", times(request, datas))]
    rows.append(percentiles("decoding", times(lambda data: decode(data, limits=limits()), datas)))
    pixels = [decode(data, limits=limits()).pixels for data in datas]
    for space in METHODS:
        rows.append(percentiles(f"feature: {space}", times(get_method(space).extract, pixels)))
    queries = [query_by_pixels(one) for one in pixels]
    for space in METHODS:
        found = times(lambda query, space=space: search(query, method=space), queries)
        rows.append(percentiles(f"search: {space}", found))
    shared = [Picture(one) for one in pixels]
    together = times(lambda one: [get_method(space).extract_many([one]) for space in METHODS], shared)
    return [*rows, percentiles("features together", together)]


def report(count: int, parts: int, files: Sequence[Path]) -> str:
    from django.conf import settings

    header = ("milliseconds", "p50", "p95", "p99", "p50 net", "times")
    return "\n\n".join(
        [
            "# Waiting for an answer",
            f"Made by `python -m benchmarks.queries`: {count:,} synthetic features in every space ({parts:,} in "
            f"`local`, of real pictures again and again), {os.cpu_count()} "
            f"shared cores, the default encoders, ENCODER_THREADS={settings.ENCODER_THREADS}; each asks something new. "
            "Net: less the time in which this thread was ready and other programs had all processors.",
            "## Words\n\nThe aim is a p50 below 25 ms.",
            table(header, bench_words()),
            f"## An uploaded JPEG of 12 megapixels\n\nThe aim is a p50 below 150 ms. {len(files)} photographs.",
            table(header, bench_upload(files)),
        ]
    )


def prepare(data: str, count: int, parts: int, pictures: Path) -> list[Path]:
    """A filled site in this process; returns the photographs to ask with."""
    os.environ |= {"IMAGESITE_DATA": data, "DJANGO_SETTINGS_MODULE": "imagesite.settings"}
    os.environ |= {"CELERY_BROKER_URL": "memory://", "LOG_LEVEL": "WARNING"}
    import django

    django.setup()
    from django.core.management import call_command

    from gallery.decoding import decode
    from search.features.versions import state_of
    from search.methods import METHODS
    from search.retrieval.live import view_of
    from search.retrieval.warmup import warm_up
    from search.snapshots import build

    call_command("migrate", verbosity=0)
    call_command("fetch_models", stdout=StringIO())
    warm_up()
    files = sorted(path for path in pictures.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    fill(count, parts, [decode(path.read_bytes()).pixels for path in files[:: max(1, len(files) // 200)]])
    for space in METHODS:
        started = time.perf_counter()
        build.build(space)
        print(f"{space}: built in {time.perf_counter() - started:.0f} s", flush=True)
        view_of(state_of(space))
    return enlarged(files[:: max(1, len(files) // 43)], Path(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="?", type=Path, default=Path("../shared/data/caltech"))
    parser.add_argument("--count", type=int, default=100_000, help="features of every space but local")
    parser.add_argument("--parts", type=int, default=10_000, help="features of local: they are large")
    options = parser.parse_args()
    data = tempfile.mkdtemp()
    try:
        files = prepare(data, options.count, options.parts, options.pictures)
        text = report(options.count, options.parts, files)
    finally:
        shutil.rmtree(data, ignore_errors=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
