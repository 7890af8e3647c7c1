"""Colours match whatever the size, the crop and the turn, and do not match other colours."""

import csv
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from benchmarks.edits import EDITS
from search.indexes.metrics import METRICS
from search.methods import get_method
from search.methods.color import ColorHistogram, histogram
from search.types import Pixels
from tests.support.paths import SHARED_DATA

color = ColorHistogram()

# Signs of the projection for one bin, in steps of 1/512.
PINNED = [-32, -32, -32, -32, -32, -32, 32, -32, -32, 32, -32, -32, 32, -32, 32, 32]


def scene(seed: int, width: int = 320, height: int = 240) -> Pixels:
    """Blobs in a palette of the seed's own, spread over the whole picture."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (5, 3))
    grid = palette[rng.integers(0, 5, (12, 16))].astype(np.uint8)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))


def distance(one: Pixels, other: Pixels) -> float:
    (query,), rows = color.queries(color.extract(one)), color.rows([color.extract(other)])
    return float(METRICS[color.metric].distances(query, rows)[0])


def flat(*shade: int, side: int = 20) -> Pixels:
    return np.full((side, side, 3), shade, np.uint8)


def find(pictures: list[Pixels], edit: str) -> list[int]:
    """0-based rank of each picture's own row when asked for with its edit."""
    rows = color.rows([color.extract(pixels) for pixels in pictures])
    ranks = []
    for number, pixels in enumerate(pictures):
        changed = EDITS[edit](pixels, np.random.default_rng(number))
        (query,) = color.queries(color.extract(changed))
        apart = METRICS[color.metric].distances(query, rows)
        ranks.append(int((apart < apart[number]).sum()))
    return ranks


def test_it_counts_in_sixteen_steps_of_red_green_and_blue() -> None:
    pixels = np.array([[[0, 0, 0], [15, 15, 15], [16, 0, 0]], [[0, 16, 0], [0, 0, 16], [255, 255, 255]]], np.uint8)
    counts = histogram(pixels)
    assert counts.shape == (4096,)
    assert {int(i): int(counts[i]) for i in np.flatnonzero(counts)} == {0: 2, 1: 1, 16: 1, 256: 1, 4095: 1}


def test_it_counts_every_pixel_of_a_view_with_strides() -> None:
    pixels = scene(0)
    packed = (pixels[::-2, ::3] // 16).astype(int) @ [256, 16, 1]
    assert np.array_equal(histogram(pixels[::-2, ::3]), np.bincount(packed.ravel(), minlength=4096))


def test_it_ignores_picture_size() -> None:
    pixels = scene(1)
    assert distance(pixels, np.tile(pixels, (3, 2, 1))) == 0
    assert distance(flat(9, 9, 9, side=1), flat(9, 9, 9, side=300)) == 0


def test_it_survives_resizing() -> None:
    assert color.score(distance(scene(2), scene(2, 160, 120))) > 0.7


@pytest.mark.parametrize("edit", ["mirror", "turn 90°"])
def test_turns_and_mirrors_change_nothing(edit: str) -> None:
    pixels = scene(3)
    assert distance(pixels, EDITS[edit](pixels, np.random.default_rng(0))) == 0


@pytest.mark.parametrize("edit", ["crop 80%", "crop 50%", "crop 25%", "half size", "JPEG 30"])
def test_an_edited_drawing_is_found_among_others(edit: str) -> None:
    assert find([scene(seed) for seed in range(60)], edit) == [0] * 60


def test_a_quarter_crop_of_a_photograph_is_nearly_always_found() -> None:
    manifest = SHARED_DATA / "manifest.csv"
    if not manifest.exists():
        pytest.skip("needs the photographs of ../shared/data")
    with manifest.open(newline="") as file:
        files = [row["file"] for row in csv.DictReader(file) if row["set"] == "caltech"][::3]
    pictures = [np.asarray(Image.open(SHARED_DATA / name).convert("RGB")) for name in files]
    assert np.mean(np.array(find(pictures, "crop 50%")) == 0) > 0.97
    assert np.mean(np.array(find(pictures, "crop 25%")) == 0) > 0.85


def test_other_colours_are_far_and_score_nothing() -> None:
    shades = [(0, 0, 0), (255, 255, 255), (200, 30, 30), (30, 200, 30), (30, 30, 200)]
    for one, other in pairwise(shades):
        assert distance(flat(*one), flat(*other)) == pytest.approx(2**0.5, abs=0.15)
        assert color.score(distance(flat(*one), flat(*other))) == 0


def test_more_shared_colour_is_nearer() -> None:
    red, mixed = flat(200, 30, 30), flat(200, 30, 30)
    mixed[:10] = (30, 30, 200)
    assert distance(red, red) < distance(red, mixed) < distance(red, flat(30, 30, 200))


def test_its_score_falls_with_distance_and_stays_between_nought_and_one() -> None:
    scores = [color.score(apart) for apart in np.linspace(0, 2, 50)]
    assert scores == sorted(scores, reverse=True)
    assert (scores[0], scores[-1]) == (1, 0)


def test_it_is_stored_in_256_bytes_and_its_rows_fit_the_index() -> None:
    stored = [color.extract(scene(seed)) for seed in range(3)]
    assert {len(feature) for feature in stored} == {256}
    rows = color.rows(stored)
    assert rows.shape == (3, color.dimension)
    assert rows.dtype == np.float32
    assert color.rows([]).shape == (0, color.dimension)


def test_its_bytes_stay_the_same_for_its_version() -> None:
    steps = np.frombuffer(color.extract(flat(200, 30, 30, side=1)), np.int8)
    assert steps[:16].tolist() == PINNED
    assert color.version == "1"


def test_the_table_leads_to_it() -> None:
    assert isinstance(get_method("color"), ColorHistogram)
