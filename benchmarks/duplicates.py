"""How long it takes to find the pairs of near hashes: all of a collection, and a few new ones.

``python -m benchmarks.duplicates`` prints the table and writes benchmarks/results/duplicates.md. The hashes are those
of drawn coefficients; one in five is a noisy copy of another, turned by chance. The processor's time, of all threads
together, is what another program on the machine does not change much.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results" / "duplicates.md"
SIZES = (10_000, 100_000)
COPIES = 0.2
NEW = 100
LOW = 16


def stored_hashes(count: int, dice: np.random.Generator) -> list[bytes]:
    """Features of the hash space, 128 bytes each."""
    low = dice.normal(size=(count, LOW, LOW)).astype(np.float32)
    first = int(count * (1 - COPIES))
    low[first:] = low[dice.integers(0, first, count - first)]
    low[first:] += 0.2 * dice.normal(size=(count - first, LOW, LOW)).astype(np.float32)
    turned = dice.random(count) < 0.25
    turned[:first] = False
    low[turned] = low[turned].transpose(0, 2, 1)
    odd = np.where(np.arange(LOW) % 2, -1, 1).astype(np.float32)
    forms = [packed(low * signs) for signs in (np.float32(1), odd, odd[:, None], odd * odd[:, None])]
    return [row.tobytes() for row in np.concatenate(forms, axis=1)]


def packed(low: NDArray[np.float32]) -> NDArray[np.uint8]:
    flat = low.reshape(len(low), -1)
    return np.packbits(flat > np.median(flat, axis=1, keepdims=True), axis=1)


def measure(count: int) -> tuple[str, ...]:
    from search.duplicates.hashes import HashJoin
    from search.methods import get_method

    method = get_method("phash")
    stored, keys = stored_hashes(count, np.random.default_rng(count)), np.arange(count)
    started, worked = time.perf_counter(), time.process_time()
    forms = np.stack([method.queries(data) for data in stored])
    unpacked = time.perf_counter()
    joined = HashJoin(keys, method.rows(stored))
    built = time.perf_counter()
    near = joined.near(keys, forms)
    done, worked = time.perf_counter(), time.process_time() - worked
    joined.near(keys[:NEW], forms[:NEW])
    few = time.perf_counter()
    times = (unpacked - started, built - unpacked, done - built, done - started, worked)
    return (f"{count:,}", *(f"{one:.2f}" for one in times), f"{len(near.first):,}", f"{1000 * (few - done):.1f}")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")
    import django

    django.setup()
    measure(1_000)  # what is compiled or read from disk is not counted
    head = ("hashes", "forms, s", "tables, s", "join, s", "all, s", "processor, s", "pairs", f"{NEW} new, ms")
    rows = [head, tuple("-" * len(one) for one in head), *map(measure, SIZES)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    text = (
        "# Duplicates\n\nAll pairs of pictures whose perceptual hashes differ in at most 31 of 256 bits, in any of the "
        f"eight turns and mirrors; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}.\n\n"
    )
    RESULTS.write_text(text + "\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
