"""How two pictures relate, which of many hashes are near, groups that do not chain, and which picture to keep."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from search.duplicates.alignment import inverse, warp
from search.duplicates.comparison import compare
from search.duplicates.groups import adjacency, duplicates_of_all, group_pairs
from search.duplicates.hashes import MOST_PARTNERS, RADIUS, HashJoin, is_informative
from search.duplicates.measures import pixel_hash
from search.duplicates.relations import Relation
from search.duplicates.representatives import Candidate, choose
from search.kernels.dihedral import Dihedral
from search.methods import get_method
from tests.support.images import scene

PHASH = get_method("phash")


def jpeg(pixels, quality):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def resize(pixels, width, height):
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def stamped(pixels):
    picture = Image.fromarray(pixels)
    ImageDraw.Draw(picture).rectangle((20, 150, 110, 200), fill=(255, 0, 0))
    return np.asarray(picture)


@pytest.mark.parametrize("seed", range(5))
def test_what_became_of_a_picture_is_named(seed):
    pixels = scene(seed, (320, 240))
    assert compare(pixels, jpeg(pixels, 25), resized=False).relation is Relation.RECOMPRESSED
    assert compare(pixels, resize(pixels, 160, 120), resized=True).relation is Relation.RESIZED
    assert compare(pixels, stamped(pixels), resized=False).relation is Relation.EDITED
    assert compare(pixels, pixels[20:220, 30:290], resized=True).relation is Relation.CROP


@pytest.mark.parametrize("transform", list(Dihedral)[1:])
def test_every_transform_is_recognised_and_can_be_undone(transform):
    pixels = scene(1, (320, 240))
    # The transform makes the second like the first, so the second is made by the inverse.
    second = np.ascontiguousarray(transform.inverse.apply(pixels))
    comparison = compare(pixels, second, resized=False)
    assert (comparison.relation, comparison.transform) == (Relation.MIRRORED_OR_ROTATED, transform)
    warped, covered = warp(second, comparison.matrix, (320, 240))
    assert covered.mean() > 0.98
    assert np.abs(warped.astype(int) - pixels).mean() < 1


def test_a_crop_knows_its_place_and_its_share():
    pixels = scene(2, (320, 240))
    crop = compare(pixels, pixels[24:216, 32:288], resized=True)
    assert crop.shares[0] == pytest.approx(0.64, abs=0.03)
    assert crop.shares[1] == pytest.approx(1, abs=0.03)
    corners = crop.matrix @ np.array([[0, 1], [0, 1], [1, 1]])
    assert corners == pytest.approx(np.array([[0.1, 0.9], [0.1, 0.9]]), abs=0.02)
    assert inverse(inverse(crop.matrix)) == pytest.approx(crop.matrix)


def test_a_crop_that_was_mirrored_too_is_a_crop():
    pixels = scene(2, (320, 240))
    part = np.ascontiguousarray(pixels[10:230, 14:306, :][:, ::-1])
    crop = compare(pixels, part, resized=True)
    assert (crop.relation, crop.transform) == (Relation.CROP, Dihedral.FLIP_LEFT_RIGHT)


@pytest.mark.parametrize("degrees", [5, -20])
def test_a_slanted_copy_is_rotated(degrees):
    pixels = scene(4, (320, 240))
    slanted = np.asarray(Image.fromarray(pixels).rotate(degrees, Image.Resampling.BICUBIC, expand=True))
    assert compare(pixels, slanted, resized=True).relation is Relation.MIRRORED_OR_ROTATED


def test_a_placement_that_other_features_found_is_checked():
    pixels = scene(5, (320, 240))
    part, placement = pixels[120:, 160:], np.array([[0.5, 0, 0.5], [0, 0.5, 0.5]])
    assert compare(pixels, part, resized=True, placement=placement).relation is Relation.CROP
    assert compare(scene(6, (320, 240)), part, resized=True, placement=placement) is None


def test_different_pictures_do_not_relate():
    pictures = [scene(seed, (320, 240)) for seed in range(12)]
    assert not any(compare(one, two, resized=True) for i, one in enumerate(pictures) for two in pictures[:i])


def test_flat_pictures_relate_to_nothing_but_their_pixels_can_be_equal():
    white, grey = np.full((90, 120, 3), 255, np.uint8), np.full((90, 120, 3), 128, np.uint8)
    assert compare(white, grey, resized=False) is None
    assert compare(white, white, resized=False) is None
    assert pixel_hash(white) == pixel_hash(white.copy()) != pixel_hash(grey)
    assert pixel_hash(white) != pixel_hash(white.transpose(1, 0, 2))


def test_the_hashes_of_flat_pictures_and_plain_gradients_say_nothing():
    slope = np.repeat(np.tile(np.linspace(0, 255, 200).astype(np.uint8), (150, 1))[..., None], 3, axis=2)
    pictures = [np.full((150, 200, 3), 200, np.uint8), slope, slope.transpose(1, 0, 2), scene(1), scene(2)]
    rows = PHASH.rows([PHASH.extract(pixels) for pixels in pictures])
    assert is_informative(rows).tolist() == [False, False, False, True, True]


def hashes(count, seed=0):
    """Random hashes with as many ones as zeros; every fourth is near the one before."""
    dice = np.random.default_rng(seed)
    bits = np.argsort(np.argsort(dice.random((count, 256)), axis=1), axis=1) < 128
    for row in range(3, count, 4):
        bits[row] = bits[row - 1]
        ones, zeros = np.flatnonzero(bits[row]), np.flatnonzero(~bits[row])
        for place in range(row % 20):
            bits[row, ones[place]], bits[row, zeros[place]] = False, True
    return np.packbits(bits, axis=1, bitorder="little").view(np.uint64)


def test_joining_finds_exactly_the_pairs_within_the_radius():
    rows, keys = hashes(1_500), np.arange(1_500) * 3 + 5
    near = HashJoin(keys, rows).near(keys, rows[:, None])
    apart = np.bitwise_count(rows[:, None] ^ rows[None]).sum(axis=2)
    wanted = {(i * 3 + 5, j * 3 + 5): apart[i, j] for i, j in np.argwhere(apart <= RADIUS) if i < j}
    assert len(wanted) > 200
    found = zip(near.first.tolist(), near.second.tolist(), near.distances.tolist(), strict=True)
    assert {(one, two): distance for one, two, distance in found} == wanted


def test_rotated_and_mirrored_pictures_are_joined():
    pixels = scene(3, (320, 240))
    turned = [np.ascontiguousarray(transform.apply(pixels)) for transform in Dihedral]
    stored = [PHASH.extract(each) for each in turned]
    keys = np.arange(len(stored))
    near = HashJoin(keys, PHASH.rows(stored)).near(keys[:1], np.stack([PHASH.queries(stored[0])]))
    assert set(near.second.tolist()) == set(range(1, len(stored)))


def test_thousands_of_equal_hashes_give_each_picture_a_few_partners():
    rows = np.repeat(hashes(1), 3_000, axis=0)
    keys = np.arange(3_000)
    near = HashJoin(keys, rows).near(keys, rows[:, None])
    assert len(near.first) <= 3_000 * MOST_PARTNERS
    assert set(near.first.tolist()) | set(near.second.tolist()) == set(keys.tolist())


def test_nothing_can_be_joined_with_nothing():
    nothing = HashJoin(np.empty(0, np.int64), np.empty((0, 4), np.uint64))
    assert len(nothing.near(np.array([1]), hashes(1)[:, None]).first) == 0
    assert len(HashJoin(np.arange(4), hashes(4)).near(np.empty(0, np.int64), np.empty((0, 8, 4), np.uint64)).first) == 0


def test_a_chain_is_no_group():
    chain = {(n, n + 1): 1.0 for n in range(1, 6)}
    groups = group_pairs(chain)
    assert sorted(members.keys for members in groups) == [(2, 1, 3), (5, 4, 6)]
    table = adjacency(chain)
    assert all(other in table[members.medoid] for members in groups for other in members.others)


@settings(deadline=None)
@given(st.sets(st.tuples(st.integers(1, 12), st.integers(1, 12)).filter(lambda pair: pair[0] < pair[1])))
def test_groups_are_disjoint_and_every_member_is_a_duplicate_of_the_medoid(pairs):
    table = dict.fromkeys(pairs, 1.0)
    groups = group_pairs(table)
    keys = [key for members in groups for key in members.keys]
    assert len(keys) == len(set(keys))
    edges = {(members.medoid, other) for members in groups for other in members.others}
    assert all(tuple(sorted(edge)) in table for edge in edges)
    alone = {key for pair in pairs for key in pair} - set(keys)
    assert not any(one in alone and two in alone for one, two in pairs)


def test_only_duplicates_of_every_other_are_eligible():
    assert duplicates_of_all((1, 2, 3), adjacency({(1, 2): 1, (1, 3): 1})) == [1]
    assert duplicates_of_all((1, 2, 3), adjacency({(1, 2): 1, (1, 3): 1, (2, 3): 1})) == [1, 2, 3]


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def candidate(key, **changed):
    fields = {"width": 300, "height": 200, "bytes": 30_000, "format": "JPEG", "created_at": NOW + timedelta(days=key)}
    return Candidate(key, **(fields | changed))


@pytest.mark.parametrize(
    "better, reason",
    [
        ({"width": 600, "height": 400, "bytes": 90_000}, "largest"),
        ({"bytes": 60_000}, "least_compressed"),
        ({"format": "PNG"}, "lossless"),
        ({"taken": True}, "time_known"),
        ({"created_at": NOW}, "oldest"),
    ],
)
def test_the_better_picture_is_suggested_with_the_reason(better, reason):
    key, reasons = choose([candidate(1), candidate(2, **better)], [1, 2])
    assert key == 2
    assert reasons[0] == reason


def test_only_what_is_the_same_as_all_others_is_suggested():
    assert choose([candidate(1), candidate(2, width=900)], [1])[0] == 1


def test_a_crop_is_not_suggested_though_it_is_larger():
    assert choose([candidate(1), candidate(2, width=900, height=600, coverage=0.6)], [1, 2])[0] == 1


def test_how_a_changed_copy_was_saved_does_not_count():
    assert choose([candidate(1), candidate(2, bytes=60_000)], [1, 2], edited=True)[0] == 1
