"""The hash is imagehash's, to the bit, and knows a picture's turns and mirrors without seeing them."""

import csv
import warnings
from collections.abc import Callable, Iterator

import imagehash
import numpy as np
import pytest
from PIL import Image

from search.indexes.metrics import METRICS
from search.methods import get_method
from search.methods.phash import PerceptualHash, small_grey
from search.types import Pixels
from tests.support.paths import SHARED_DATA

SETS = ("caltech", "corel", "ferrari", "imagenet", "coco")
phash = PerceptualHash()

TURNS: dict[str, Callable[[Pixels], Pixels]] = {
    "as is": lambda pixels: pixels,
    "mirrored": lambda pixels: pixels[:, ::-1],
    "upside down": lambda pixels: pixels[::-1],
    "turned by 180": lambda pixels: pixels[::-1, ::-1],
    "turned left": lambda pixels: np.rot90(pixels),
    "turned right": lambda pixels: np.rot90(pixels, 3),
    "transposed": lambda pixels: pixels.transpose(1, 0, 2),
    "transposed the other way": lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
}


def noise(width: int, height: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def scene(width: int, height: int, seed: int = 0) -> Pixels:
    """Soft coloured blobs: smooth like a photograph, different for each seed."""
    grid = Image.fromarray(noise(9, 7, seed))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))


def two_tone(width: int, height: int) -> Pixels:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, width // 2 :] = 255
    return pixels


def flat(width: int, height: int, *color: int) -> Pixels:
    return np.full((height, width, 3), color, np.uint8)


def reference(pixels: Pixels) -> bytes:
    bits = imagehash.phash(Image.fromarray(np.ascontiguousarray(pixels)), hash_size=16).hash
    return np.packbits(bits).tobytes()


def canonical(pixels: Pixels) -> bytes:
    return phash.rows([phash.extract(pixels)]).tobytes()


def distance(query: bytes, stored: bytes) -> int:
    row = phash.rows([stored])[0]
    return int(METRICS[phash.metric].distances(row, phash.queries(query)).min())


def photographs(step: int) -> Iterator[Pixels]:
    manifest = SHARED_DATA / "manifest.csv"
    if not manifest.exists():
        pytest.skip("needs the photographs of ../shared/data")
    with manifest.open(newline="") as file:
        files = [row["file"] for row in csv.DictReader(file) if row["set"] in SETS]
    for file_name in files[::step]:
        with warnings.catch_warnings(), Image.open(SHARED_DATA / file_name) as image:
            warnings.simplefilter("ignore")
            pixels = np.asarray(image.convert("RGB"))
        yield pixels


DRAWN = {
    "black": flat(300, 200, 0, 0, 0),
    "white": flat(300, 200, 255, 255, 255),
    "odd grey": flat(641, 479, 77, 78, 79),
    "small flat": flat(31, 17, 200, 3, 90),
    "two-tone": two_tone(320, 240),
    "small two-tone": two_tone(20, 20),
    "one pixel": flat(1, 1, 12, 200, 99),
    "one row": noise(500, 1),
    "one column": noise(1, 500),
    "very wide": noise(5000, 170),
    "very tall": noise(170, 5000),
    "very wide and thin": noise(4000, 3),
    "the very size": noise(64, 64),
    "larger": noise(1027, 769),
    "scene": scene(640, 480),
    "black and white noise": np.repeat(noise(600, 500)[:, :, :1] // 128 * 255, 3, axis=2),
}


@pytest.mark.parametrize("pixels", DRAWN.values(), ids=DRAWN.keys())
def test_it_is_imagehash_to_the_bit_on_drawn_pictures(pixels: Pixels) -> None:
    assert canonical(pixels) == reference(pixels)


@pytest.mark.parametrize(
    ("width", "height"), [(159, 159), (160, 160), (160, 256), (160, 257), (161, 900), (900, 161), (128, 700)]
)
def test_its_small_grey_is_pillows_wherever_the_way_of_making_it_changes(width: int, height: int) -> None:
    for seed in range(5):
        pixels = noise(width, height, seed)
        grey = Image.fromarray(pixels).convert("L").resize((64, 64), Image.Resampling.LANCZOS)
        assert np.array_equal(small_grey(pixels), np.asarray(grey))


def test_its_small_grey_is_pillows_at_sizes_taken_at_random() -> None:
    for seed, (width, height) in enumerate(np.random.default_rng(0).integers(150, 900, (60, 2)).tolist()):
        pixels = noise(width, height, seed)
        grey = Image.fromarray(pixels).convert("L").resize((64, 64), Image.Resampling.LANCZOS)
        assert np.array_equal(small_grey(pixels), np.asarray(grey)), (width, height)


def test_it_is_imagehash_to_the_bit_on_photographs() -> None:
    seen = 0
    for pixels in photographs(step=3):
        assert canonical(pixels) == reference(pixels)
        seen += 1
    assert seen >= 300


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
def test_a_turned_or_mirrored_drawing_is_found(turn: Callable[[Pixels], Pixels]) -> None:
    original = scene(403, 301)
    assert distance(phash.extract(turn(original)), phash.extract(original)) <= 2


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
def test_a_turned_or_mirrored_photograph_is_within_four_bits(turn: Callable[[Pixels], Pixels]) -> None:
    apart = [distance(phash.extract(turn(pixels)), phash.extract(pixels)) for pixels in photographs(step=13)]
    assert max(apart) <= 4
    assert np.mean(apart) < 1


def test_its_queries_are_eight_different_views_of_an_ordinary_picture() -> None:
    queries = phash.queries(phash.extract(scene(403, 301)))
    assert len(np.unique(queries, axis=0)) == 8


def test_it_survives_resizing() -> None:
    original = scene(800, 600)
    small = np.asarray(Image.fromarray(original).resize((400, 300), Image.Resampling.BICUBIC))
    assert distance(phash.extract(small), phash.extract(original)) <= 8


def test_different_scenes_score_low_and_the_same_scene_scores_one() -> None:
    stored = [phash.extract(scene(300, 200, seed)) for seed in range(12)]
    unrelated = [distance(a, b) for i, a in enumerate(stored) for b in stored[:i]]
    assert phash.score(distance(stored[0], stored[0])) == 1
    assert max(map(phash.score, unrelated)) < 0.3


def test_its_score_falls_with_distance_and_stays_between_nought_and_one() -> None:
    scores = [phash.score(bits) for bits in range(257)]
    assert scores == sorted(scores, reverse=True)
    assert (scores[0], scores[-1]) == (1, 0)


def test_its_rows_fit_the_index() -> None:
    stored = [phash.extract(scene(300, 200, seed)) for seed in range(3)]
    rows = phash.rows(stored)
    assert rows.shape == (3, phash.dimension)
    assert rows.dtype == np.uint64
    assert phash.rows([]).shape == (0, phash.dimension)
    assert np.array_equal(phash.queries(stored[1])[0], rows[1])


def test_the_table_leads_to_it() -> None:
    assert isinstance(get_method("phash"), PerceptualHash)
