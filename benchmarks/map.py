"""The map: how long a layout takes and how that grows, how smooth the page is, what it sends, and the poster.

``python -m benchmarks.map [SIZE ...]`` writes benchmarks/results/map.md; sizes are numbers of made pictures, 1,000,
10,000 and 100,000 if none is given. It works in a data folder of its own. The page runs in the machine's headless
Chromium, whose WebGL is software (SwiftShader) where there is no graphics card.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed import table

RESULTS = Path(__file__).parent / "results" / "map.md"
SIZES = (1_000, 10_000, 100_000)
DIMENSION = 256
GROUPS = 200
FRAMES = 150
Row = tuple[str, ...]

# Moves the map for some frames and tells, in milliseconds, how far apart they were and what the page spent on each.
RUN = """([kind, frames]) => new Promise((resolve) => {
  const { map } = document.querySelector("#map");
  const { view } = atlas;
  const whole = view.whole();
  const scales = {whole: whole.scale, dots: whole.scale * 2, small: 8, pictures: 24, near: 90};
  const from = {x: whole.x - 40, y: whole.y, scale: scales[kind] ?? whole.scale};
  const between = [];
  let last = 0;
  map.times.length = 0;
  const step = (now) => {
    const frame = between.length;
    if (last) between.push(now - last); else between.push(0);
    last = now;
    const part = frame / frames;
    const zoomed = {x: map.positions.x[0], y: map.positions.y[0], scale: whole.scale * (400 / whole.scale) ** part};
    if (kind === "zoom") view.set(zoomed);
    else view.set({...from, x: from.x + 80 * part, y: from.y + 10 * Math.sin(9 * part)});
    if (frame < frames) requestAnimationFrame(step);
    else {
      const seen = view.scale < DOTS_BELOW ? map.positions.count : map.seen;
      const held = map.tiles.held.size;
      resolve({between: between.slice(2), spent: [...map.times], seen, held, scale: view.scale});
    }
  };
  view.set(from);
  setTimeout(() => requestAnimationFrame(step), 3000);
})"""


def seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def made_rows(count: int) -> np.ndarray[Any, Any]:
    """Unit vectors in groups of very different sizes, as pictures are."""
    dice = np.random.default_rng(0)
    centres = dice.normal(size=(GROUPS, DIMENSION))
    shares = dice.pareto(1.5, GROUPS) + 0.2
    of = dice.choice(GROUPS, count, p=shares / shares.sum())
    rows = centres[of] + dice.normal(0, 0.9, (count, DIMENSION)) * dice.uniform(0.5, 1.2, (count, 1))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def bench_layout(count: int, keep: Path) -> Row:
    """Seconds of each part, and the memory of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.map", "--lay-out", str(count), str(keep)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return (f"{count:,}", *done.stdout.split())


def lay_out(count: int, keep: Path) -> None:
    """Prints seconds of PCA, t-SNE, overlap removal and all, and the peak memory; saves the centres."""
    from search.map import layout
    from search.map.overlap_removal import remove_overlaps

    rows = made_rows(count)
    remove_overlaps(np.zeros((9, 2)))  # compiled once for all
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    idle = time.process_time()
    times = [time.perf_counter()]
    mean, axes = layout.principal_axes(rows[at : at + 5_000] for at in range(0, count, 5_000))
    reduced = (rows - mean) @ axes
    times.append(time.perf_counter())
    embedded = layout.embed(reduced, layout.start(reduced))
    times.append(time.perf_counter())
    centres = remove_overlaps(layout.in_units(embedded))
    times.append(time.perf_counter())
    np.save(keep, centres[layout.morton_order(centres)])
    used = resource.getrusage(resource.RUSAGE_SELF)
    parts = [*np.diff(times), times[-1] - times[0], used.ru_utime + used.ru_stime - idle]
    print(*(f"{part:.1f}" for part in parts), f"{(used.ru_maxrss - before) / 1024:,.0f}")


def store_map(centres: np.ndarray[Any, Any]) -> Any:
    """A map of pictures that are not there, with tiles of noise, as the site keeps it."""
    from PIL import Image as Pillow

    from search.map.codec import positions_of
    from search.map.models import Layout, Tile
    from search.map.tiles import LEVELS, SIDE, _save, slots_of

    dice = np.random.default_rng(1)
    colours = [f"#{value:06x}" for value in dice.integers(0, 2**24, len(centres)).tolist()]
    sides = dice.integers(200, 400, (len(centres), 2)).tolist()
    positions = positions_of([(i + 1, colours[i], *sides[i]) for i in range(len(centres))], centres)
    layout = Layout.objects.create(space="color", state="done", count=len(positions), positions=positions.tobytes())
    for level in LEVELS:
        cells = dice.integers(0, 256, (SIDE // level, SIDE // level, 3), np.uint8)
        pixels = Pillow.fromarray(cells.repeat(level, 0).repeat(level, 1))
        for number in range(-(-len(positions) // slots_of(level))):
            _save(Tile(layout=layout, level=level, number=number), pixels, None)
    return layout


def bench_serving(layout: Any) -> Row:
    import gzip

    from django.core.cache import cache

    from search.map.positions import browser_bytes

    cache.clear()
    made = seconds(lambda: browser_bytes(layout))
    again = seconds(lambda: browser_bytes(layout))
    data = browser_bytes(layout)
    packed = len(gzip.compress(data, 6))
    return (
        f"{layout.count:,}",
        f"{len(data) / 1e6:.2f}",
        f"{packed / 1e6:.2f}",
        f"{1e3 * made:.0f}",
        f"{1e3 * again:.1f}",
    )


def bench_poster(layout: Any) -> Row:
    from search.map.poster import LARGEST, poster_png

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = 0

    def draw() -> None:
        nonlocal size
        size = sum(map(len, poster_png(layout, LARGEST)))

    took = seconds(draw)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return (f"{layout.count:,}", f"{took:.1f}", f"{size / 1e6:.0f}", f"{grown:,.0f}")


@contextmanager
def served() -> Iterator[str]:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from django.core.wsgi import get_wsgi_application

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def bench_frames(count: int, address: str, rows: list[Row]) -> None:
    """Adds a row for each way of moving."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=path, args=["--headless", "--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        opened = seconds(lambda: page.goto(f"{address}/map/?space=color") and page.wait_for_selector("#map.ready"))
        for kind in ("whole", "dots", "small", "pictures", "near", "zoom"):
            run = page.evaluate(RUN, [kind, FRAMES])
            between, spent = np.array(run["between"]), np.array(run["spent"])
            figures = (np.median(between), np.percentile(between, 95), np.median(spent), np.percentile(spent, 95))
            told = (f"{1000 / figures[0]:.0f}", *(f"{figure:.1f}" for figure in figures))
            rows.append((f"{count:,}", kind, f"{run['scale']:.1f}", f"{run['seen']:,}", str(run["held"]), *told))
        rows.append((f"{count:,}", "opened in", "", "", "", "", f"{1000 * opened:.0f}", "", "", ""))
        browser.close()


def report(sizes: list[int], folder: Path) -> str:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    layouts, sent, posters, frames = [], [], [], []
    for count in sizes:
        layouts.append(bench_layout(count, folder / f"{count}.npy"))
        stored = store_map(np.load(folder / f"{count}.npy"))
        sent.append(bench_serving(stored))
        posters.append(bench_poster(stored))
        with served() as address:
            thread = threading.Thread(target=bench_frames, args=(stored.count, address, frames))
            thread.start()  # Playwright keeps an event loop in its thread, where Django would refuse to work
            thread.join()
    return "\n\n".join(
        [
            "# The map",
            f"Made by `python -m benchmarks.map` on {os.cpu_count()} shared cores.",
            f"## A layout of made vectors, {DIMENSION} numbers each: seconds, and MB beyond the vectors themselves",
            table(("pictures", "PCA to 50", "t-SNE", "spreading", "all", "processor time", "MB"), layouts),
            "## What a browser gets: MB, and ms to make it the first time and from the cache",
            table(("pictures", "MB", "gzipped", "first", "again"), sent),
            f"## Frames of the page, 1,440 x 900, headless Chromium, software WebGL; {FRAMES} frames each, ms",
            table(FRAME_COLUMNS, frames),
            "## The poster, 10,100 pixels, from pages of noise, which compress badly",
            table(("pictures", "seconds", "MB of file", "MB of memory"), posters),
        ]
    )


FRAME_COLUMNS = (
    *("pictures", "what", "CSS pixels a picture", "pictures seen", "textures held"),
    *("frames a second", "between, median", "between, p95", "script, median", "script, p95"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--lay-out", nargs=2, metavar=("COUNT", "FILE"), help="one layout, in this process")
    asked = parser.parse_args()
    if asked.lay_out:
        lay_out(int(asked.lay_out[0]), Path(asked.lay_out[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"IMAGESITE_DATA": folder, "DJANGO_SETTINGS_MODULE": "imagesite.settings"}
        import django

        django.setup()
        text = report(asked.sizes, Path(folder))
    RESULTS.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
