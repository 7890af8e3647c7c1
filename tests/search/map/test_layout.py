"""The mathematics of the map."""

import io
import struct

import numpy as np
import PIL.Image
import pytest
from scipy.spatial import cKDTree

from search.map.codec import POSITION, bounds, for_browsers, positions_of, ratio_of
from search.map.layout import (
    STEPS,
    align,
    centre_among,
    embed,
    free_spot,
    in_units,
    lay_out,
    morton_order,
    principal_axes,
    start,
)
from search.map.overlap_removal import GAP, remove_overlaps
from search.map.poster import png


def blobs(count, groups=5, dimension=30, seed=0):
    """Rows about ``groups`` far centres, and which group each is of."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(groups, dimension)) * 4
    of = random.integers(0, groups, count)
    return (centres[of] + random.normal(size=(count, dimension))).astype(np.float32), of


def transformed(centres, angle=0.7, scale=2.5, shift=(3, -8)):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return centres @ turn * scale + shift


def test_the_axes_are_those_of_all_rows_at_once():
    rows, _ = blobs(400, dimension=60)
    mean, axes = principal_axes(iter([rows[:150], rows[150:390], rows[390:]]), 5)
    centred = rows - rows.mean(axis=0)
    _, _, expected = np.linalg.svd(centred, full_matrices=False)
    assert np.allclose(mean, rows.mean(axis=0), atol=1e-5)
    assert np.allclose(np.abs(np.sum(axes.T * expected[:5], axis=1)), 1, atol=1e-3)


def test_no_more_axes_than_dimensions():
    rows, _ = blobs(50, dimension=3)
    assert principal_axes([rows])[1].shape == (3, 3)


def test_neighbours_stay_neighbours():
    rows, of = blobs(300)
    steps = []
    centres = embed(rows, start(rows), steps.append)
    _, near = cKDTree(centres).query(centres, k=6)
    assert (of[near[:, 1:]] == of[:, np.newaxis]).mean() > 0.95
    assert steps == sorted(steps)
    assert steps[-1] == STEPS


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_few_pictures_have_a_map_too(count):
    rows, _ = blobs(count)
    centres = lay_out(rows)
    assert centres.shape == (count, 2)
    assert np.isfinite(centres).all()


def test_equal_pictures_do_not_lie_on_one_spot():
    centres = lay_out(np.ones((20, 8), np.float32))
    assert np.isfinite(centres).all()
    assert cKDTree(centres).query(centres, k=2, p=np.inf)[0][:, 1].min() > 0.5


@pytest.mark.parametrize("mirror", [1, -1])
def test_alignment_undoes_any_similarity(mirror):
    old = np.random.default_rng(1).normal(size=(40, 2))
    new = transformed(old * [1, mirror])
    assert np.allclose(align(new, old), old, atol=1e-9)


def test_new_pictures_have_no_say_in_the_alignment():
    old = np.random.default_rng(2).normal(size=(40, 2))
    new = transformed(old)
    old[30:] = np.nan
    laid = align(new, old)
    assert np.allclose(laid[:30], old[:30], atol=1e-9)
    assert np.isfinite(laid).all()


def test_with_nothing_in_common_nothing_is_aligned():
    new = np.random.default_rng(3).normal(size=(10, 2))
    assert np.array_equal(align(new, np.full((10, 2), np.nan)), new)


def test_a_new_map_does_not_jump():
    rows, _ = blobs(260)
    old = lay_out(rows[:240])
    known = np.vstack([old, np.full((20, 2), np.nan)])
    new = lay_out(rows, known)
    moved = np.linalg.norm(new[:240] - old, axis=1)
    fresh = lay_out(-rows)
    extent = np.ptp(old, axis=0).max()
    assert np.median(moved) < 0.15 * extent
    assert np.median(moved) < np.median(np.linalg.norm(fresh[:240] - old, axis=1))


def test_overlap_removal_parts_what_overlaps_and_leaves_the_rest():
    random = np.random.default_rng(4)
    crowd, lonely = random.normal(size=(60, 2)), np.array([[50.0, 50.0], [80.0, -40.0]])
    centres = remove_overlaps(np.vstack([crowd, lonely]))
    assert cKDTree(centres).query(centres, k=2, p=np.inf)[0][:, 1].min() > 0.7 * GAP
    assert np.allclose(centres[60:], lonely, atol=0.02)


def test_a_unit_is_a_picture_whatever_the_scale_was():
    centres = np.random.default_rng(5).normal(size=(500, 2))
    assert np.allclose(in_units(centres), in_units(centres * 1000))


def test_a_picture_between_two_clusters_lands_in_one_of_them():
    neighbours = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [40, 40], [41, 40]], float)
    found = centre_among(neighbours, np.full(6, 0.5), cKDTree(neighbours))
    assert np.linalg.norm(found - [0.5, 0.5]) < 3


def test_a_new_picture_takes_a_free_spot():
    taken = np.stack(np.meshgrid(range(5), range(5)), -1).reshape(-1, 2).astype(float)
    spot = free_spot(np.array([2.0, 2.0]), cKDTree(taken))
    assert np.linalg.norm(taken - spot, axis=1).min() >= 0.85
    assert np.linalg.norm(spot - [2, 2]) < 5


def test_the_z_curve_keeps_neighbourhoods():
    centres = np.stack(np.meshgrid(range(16), range(16)), -1).reshape(-1, 2).astype(float)
    ordered = centres[morton_order(centres)]
    assert sorted(map(tuple, ordered)) == sorted(map(tuple, centres))
    for begin in range(0, 256, 16):
        assert np.ptp(ordered[begin : begin + 16], axis=0).max() <= 4


def test_browsers_get_what_is_stored():
    images = [(7, "#ff8000", 400, 200), (9, "#010203", 100, 100), (2**31, "#ffffff", 100, 1000)]
    made = positions_of(images, np.array([[0, 0], [10, 4], [-2.5, 1]]))
    data = for_browsers(made, np.array([0, 5, 6]))
    magic, count, left, top, width, height = struct.unpack("<4sI4f", data[:24])
    assert (magic, count) == (b"MAP1", 3)
    assert (left, top, width, height) == (-3, -0.5, 13.5, 5)
    assert len(data) == 24 + 16 * 3
    assert np.frombuffer(data, "<u4", 6, 24).tolist() == [7, 9, 2**31, 0, 5, 6]
    x = left + np.frombuffer(data, "<u2", 3, 48) / 65_535 * width
    assert np.allclose(x, made["x"], atol=1e-3)
    assert data[60:63] == bytes([255, 1, 255])


def test_ids_that_do_not_fit_are_refused():
    with pytest.raises(OverflowError):
        for_browsers(positions_of([(2**32, "#000000", 1, 1)], np.zeros((1, 2))), np.zeros(1, int))


def test_an_empty_map_has_bounds():
    assert bounds(np.zeros(0, POSITION)) == ((0, 0), (1, 1))


@pytest.mark.parametrize("size, ratio", [((100, 100), 128), ((200, 100), 160), ((100, 200), 96), ((9000, 1), 255)])
def test_the_shape_is_a_byte(size, ratio):
    assert ratio_of(*size) == ratio


def test_a_png_in_strips_is_the_picture():
    pixels = np.random.default_rng(6).integers(0, 256, (70, 33, 3), dtype=np.uint8)
    file = b"".join(png([pixels[:32], pixels[32:64], pixels[64:]], 33, 70))
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(file))), pixels)
