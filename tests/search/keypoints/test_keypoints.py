"""Keypoints are found, stored and matched, and tell where one picture lies in another."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.edits import EDITS
from gallery.decoding import decode
from search.exceptions import SpaceUnavailable
from search.keypoints import codec, extraction
from search.keypoints.codec import MOST, ORB, SIFT, unpack
from search.keypoints.localization import Placement, match_keypoints, placement
from search.methods.base import Verified
from search.methods.local import KINDS, LocalFeatures, OrbFeatures
from search.types import Pixels
from tests.support.images import scene
from tests.support.paths import SHARED_DATA

local = LocalFeatures()
KIND_NAMES = pytest.mark.parametrize("kind", [SIFT, ORB], ids=["sift", "orb"])


@cache
def picture(seed: int, size: tuple[int, int] = (400, 300)) -> Pixels:
    """A scene with enough corners."""
    cells = np.random.default_rng(seed).integers(0, 256, (14, 18, 3), np.uint8)
    mosaic = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(mosaic // 2 + scene(seed, size) // 2, np.uint8)


def look(query: Pixels, candidate: Pixels, method: LocalFeatures = local) -> Verified:
    (found,) = method.verify(method.extract(query), [method.extract(candidate)])
    return found


def lies(query: Pixels, candidate: Pixels, method: LocalFeatures = local) -> Placement:
    transform = look(query, candidate, method).transform
    assert transform is not None
    sizes = ((pixels.shape[1], pixels.shape[0]) for pixels in (query, candidate))
    return placement(transform, *sizes)


@KIND_NAMES
def test_a_record_takes_at_most_36_kilobytes(kind: int) -> None:
    record = extraction.extract(np.random.default_rng(0).integers(0, 256, (700, 900, 3), np.uint8), kind)
    assert codec.count(record) == MOST
    assert len(record) <= 36 * 1024
    assert codec.fits(record)


@KIND_NAMES
def test_extraction_is_repeatable(kind: int) -> None:
    assert extraction.extract(picture(1), kind) == extraction.extract(picture(1), kind)


@KIND_NAMES
def test_keypoints_lie_in_the_working_picture(kind: int) -> None:
    found = unpack(extraction.extract(picture(2, (900, 500)), kind))
    assert (found.width, found.height) == (600, 333)
    assert (found.points >= 0).all()
    assert (found.points < (found.width, found.height)).all()
    assert ((found.directions >= 0) & (found.directions < 360)).all()


def test_small_pictures_are_made_larger() -> None:
    found = unpack(extraction.extract(picture(2, (64, 48))))
    assert (found.width, found.height) == (320, 240)


@KIND_NAMES
@pytest.mark.parametrize("size", [(1, 1), (5, 3000), (3000, 1), (400, 400)])
def test_flat_and_thin_pictures_have_no_keypoints(size: tuple[int, int], kind: int) -> None:
    record = extraction.extract(np.full((*size, 3), 90, np.uint8), kind)
    assert codec.count(record) == 0
    assert codec.fits(record)


def test_a_query_without_keypoints_says_so() -> None:
    flat = local.extract(np.full((300, 300, 3), 90, np.uint8))
    with pytest.raises(SpaceUnavailable, match="too little detail"):
        local.queries(flat)
    assert [found.distance for found in local.verify(local.extract(picture(0)), [flat])] == [1.0]


def test_keypoints_are_spread_over_the_picture() -> None:
    pixels = np.full((400, 400, 3), 128, np.uint8)
    pixels[:, :200] = np.random.default_rng(0).integers(0, 256, (400, 200, 3), np.uint8)
    faint = cv2.resize(np.random.default_rng(1).integers(108, 148, (50, 25), np.uint8), (200, 400))
    pixels[:, 200:] = faint[..., np.newaxis]
    found = unpack(extraction.extract(pixels))
    assert np.count_nonzero(found.points[:, 0] > 205) > MOST / 4


@KIND_NAMES
def test_the_mirrored_record_is_that_of_the_mirrored_picture(kind: int) -> None:
    turned = unpack(codec.mirrored(extraction.extract(picture(3), kind)))
    true = unpack(extraction.extract(picture(3)[:, ::-1], kind))
    products = turned.vectors @ true.vectors.T
    nearest = products.argmax(axis=1)
    same = np.abs(turned.points - true.points[nearest]).max(axis=1) < 2
    assert same.mean() > 0.7
    apart = np.abs((turned.directions - true.directions[nearest] + 180) % 360 - 180)
    assert np.median(apart[same]) < 3


@KIND_NAMES
def test_mirroring_twice_changes_nothing(kind: int) -> None:
    record = extraction.extract(picture(3), kind)
    assert codec.mirrored(codec.mirrored(record)) == record


def test_what_is_no_record_does_not_fit() -> None:
    record = local.extract(picture(0))
    for wrong in (
        b"",
        record[:-1],
        record + b"\0",
        b"\x07" + record[1:],
        OrbFeatures().extract(picture(0)),
        record[:5],
    ):
        assert not local.fits(wrong)
    assert local.fits(record)


def test_a_picture_is_itself() -> None:
    found = look(picture(4), picture(4))
    assert found.distance < 1e-6
    where = lies(picture(4), picture(4))
    np.testing.assert_allclose(where.outline, [(0, 0), (1, 0), (1, 1), (0, 1)], atol=0.01)
    assert (where.mirrored, round(where.scale, 2)) == (False, 1.0)
    assert min(where.turn, 360 - where.turn) < 1
    assert min(where.inside, where.covered) > 0.97


@pytest.mark.parametrize("method", [LocalFeatures(), OrbFeatures()], ids=["sift", "orb"])
@pytest.mark.parametrize(
    "edit", ["JPEG 30", "half size", "crop 50%", "mirror", "turn 30°", "turn 90°", "in a screenshot"]
)
def test_it_survives_edits_and_other_pictures_are_far(method: LocalFeatures, edit: str) -> None:
    query = EDITS[edit](picture(5), np.random.default_rng(5))
    candidates = [method.extract(picture(seed)) for seed in (5, 6, 7)]
    own, *others = (found.distance for found in method.verify(method.extract(query), candidates))
    assert own < 0.3
    assert min(others) > 0.7


def test_only_the_form_that_found_a_candidate_is_tried() -> None:
    method = LocalFeatures()
    copies = [method.extract(picture(5)), method.extract(EDITS["mirror"](picture(5), np.random.default_rng(5)))]
    query = copies[0]
    assert max(one.distance for one in method.verify(query, copies, [0, 1])) < 0.3
    assert min(one.distance for one in method.verify(query, copies, [1, 0])) > 0.7


def test_a_crop_is_placed_where_it_was_cut() -> None:
    where = lies(picture(6)[60:210, 100:300], picture(6))
    np.testing.assert_allclose(where.outline, [(0.25, 0.2), (0.75, 0.2), (0.75, 0.7), (0.25, 0.7)], atol=0.01)
    assert where.covered == pytest.approx(0.25, abs=0.01)
    assert where.inside == pytest.approx(1.0, abs=0.03)


def test_a_mirrored_turned_enlarged_copy_is_told_as_such() -> None:
    copy = cv2.resize(np.rot90(picture(7)[:, ::-1], -1), None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    where = lies(picture(7), np.asarray(copy, np.uint8))
    assert where.mirrored
    assert where.turn == pytest.approx(90, abs=1)
    assert where.scale == pytest.approx(1.5, abs=0.02)


def test_a_picture_in_a_larger_one_is_partly_outside_when_asked_the_other_way() -> None:
    where = lies(EDITS["in a collage"](picture(8), np.random.default_rng(1)), picture(8))
    assert where.inside == pytest.approx(0.25, abs=0.02)
    assert where.covered == pytest.approx(1.0, abs=0.03)


def test_matched_points_lie_where_the_transform_puts_them() -> None:
    query, candidate = local.extract(picture(9)[:, ::-1][40:240, 50:330]), local.extract(picture(9))
    found = match_keypoints(query, candidate)
    assert found.mirrored
    assert found.inliers.sum() > 30
    agreed = found.pairs[found.inliers]
    flat = np.column_stack((agreed[:, :2], np.ones(len(agreed)))) @ np.reshape(found.transform or (), (3, 3)).T
    assert np.abs(flat[:, :2] / flat[:, 2:] - agreed[:, 2:]).max() < 0.02


def test_unrelated_pictures_have_no_transform() -> None:
    assert look(picture(10), picture(11)).transform is None
    flat = local.extract(np.zeros((9, 9, 3), np.uint8))
    assert match_keypoints(local.extract(picture(10)), flat).pairs.shape == (0, 4)


def test_one_setting_chooses_the_kind(settings) -> None:
    assert isinstance(local.now(), LocalFeatures)
    settings.LOCAL_FEATURES = "orb"
    assert local.now().version == KINDS["orb"].version
    assert isinstance(local.at(OrbFeatures.version), OrbFeatures)
    assert local.at("sift:0") is None


def corner_error(one: Pixels, other: Pixels, truth: NDArray[np.float64]) -> float:
    """Mean distance of the corners from where they belong, in widths of the found picture."""
    size = np.array([other.shape[1], other.shape[0]])
    found = np.array(lies(one, other).outline) * size
    corners = np.array([[0, 0], [one.shape[1], 0], [one.shape[1], one.shape[0]], [0, one.shape[0]]], np.float64)
    flat = np.column_stack((corners, np.ones(4))) @ truth.T
    return float(np.linalg.norm(found - flat[:, :2] / flat[:, 2:], axis=1).mean() / size[0])


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="the shared pictures are not here")
@pytest.mark.parametrize(
    "edit", ["rotate-90", "rotate-180", "rotate-270", "flipx", "flipy", "flip-plus-1", "flip-minus-1"]
)
def test_turned_and_mirrored_photographs_are_placed_to_two_percent_of_their_width(edit: str) -> None:
    folder = SHARED_DATA / "pairs" / "pdq" / "dih-1024"
    (file,) = folder.glob(f"*-{edit}.jpg")
    one, other = (cv2.imread(str(path)) for path in (folder / "bridge-1-original.jpg", file))
    assert one is not None
    assert other is not None
    where = lies(np.asarray(one[..., ::-1], np.uint8), np.asarray(other[..., ::-1], np.uint8))
    corners = {(round(x), round(y)) for x, y in where.outline}
    assert corners == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert max(abs(value - round(value)) for point in where.outline for value in point) < 0.02
    assert where.mirrored == edit.startswith("flip")


@pytest.mark.parametrize("seed", range(4))
def test_perspective_is_recovered_to_two_percent_of_the_width(seed: int) -> None:
    pixels, random = picture(20 + seed, (640, 480)), np.random.default_rng(seed)
    corners = np.array([[0, 0], [640, 0], [640, 480], [0, 480]], np.float32)
    moved = (corners + random.uniform(-60, 60, (4, 2))).astype(np.float32)
    truth = cv2.getPerspectiveTransform(corners, moved)
    seen = np.asarray(cv2.warpPerspective(pixels, truth, (640, 480)), np.uint8)
    assert corner_error(pixels, seen, np.asarray(truth)) < 0.02


def full_size_homography(one: Pixels, other: Pixels) -> NDArray[np.float64]:
    """The plain way, with thousands of keypoints and all pixels."""
    finder = cv2.SIFT.create(6000)
    (points, codes), (others, other_codes) = (
        finder.detectAndCompute(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), None) for pixels in (one, other)
    )
    pairs = [a for a, b in cv2.BFMatcher().knnMatch(codes, other_codes, k=2) if a.distance < 0.7 * b.distance]
    start = np.array([points[pair.queryIdx].pt for pair in pairs], np.float32)
    end = np.array([others[pair.trainIdx].pt for pair in pairs], np.float32)
    found, _ = cv2.findHomography(start, end, cv2.USAC_MAGSAC, 1.0, None, 5000, 0.9999)
    return np.asarray(found, np.float64)


@pytest.mark.skipif(not SHARED_DATA.exists(), reason="the shared pictures are not here")
@pytest.mark.parametrize(
    "names",
    [
        ("warp/original.jpg", "warp/warped.jpg"),
        ("opencv/box.png", "opencv/box_in_scene.png"),
        ("opencv/ela_original.jpg", "opencv/ela_modified.jpg"),
        ("opencv/basketball1.png", "opencv/basketball2.png"),
        ("pdq/bridge-mods/aaa-orig.jpg", "pdq/bridge-mods/blur-a-lot.jpg"),
    ],
    ids=lambda names: names[1].rpartition("/")[2],
)
def test_photographs_of_the_same_thing_are_placed_to_two_percent_of_the_width(names: tuple[str, str]) -> None:
    one, other = (decode((SHARED_DATA / "pairs" / name).read_bytes()).pixels for name in names)
    assert corner_error(one, other, full_size_homography(one, other)) < 0.02
