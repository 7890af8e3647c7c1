from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from search.duplicates.relations import TRANSFORMS
from search.kernels.dihedral import STEPS, Dihedral
from search.methods.phash import FORMS

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
TURNED = [each for each in Dihedral if each != Dihedral.IDENTITY]


def test_there_are_as_many_as_pillow_has_and_the_identity() -> None:
    assert {each.name for each in TURNED} == {each.name for each in Image.Transpose}
    assert set(STEPS) == set(Dihedral)


@pytest.mark.parametrize("transform", TURNED)
def test_each_is_what_pillow_makes_of_a_picture(transform: Dihedral) -> None:
    by_pillow = Image.fromarray(PIXELS).transpose(Image.Transpose[transform.name])
    assert np.array_equal(transform.apply(PIXELS), np.asarray(by_pillow))


@pytest.mark.parametrize("transform", Dihedral)
def test_the_inverse_gives_the_picture_back(transform: Dihedral) -> None:
    assert np.array_equal(transform.inverse.apply(transform.apply(PIXELS)), PIXELS)
    assert transform.inverse.inverse == transform


@pytest.mark.parametrize("transform", Dihedral)
def test_points_of_a_transformed_picture_lead_back_to_where_they_were(transform: Dihedral) -> None:
    after = transform.apply(PIXELS)
    height, width = after.shape[:2]
    for row in range(height):
        for column in range(width):
            x, y = np.array(transform.origin) @ ((column + 0.5) / width, (row + 0.5) / height, 1)
            assert np.array_equal(PIXELS[int(y * 5), int(x * 7)], after[row, column])


def test_the_numbers_that_are_stored_of_duplicates_keep_their_meaning() -> None:
    assert [str(turn) for turn in TRANSFORMS] == [
        *("identity", "flip_left_right", "flip_top_bottom", "rotate_180"),
        *("transpose", "rotate_270", "rotate_90", "transverse"),
    ]


def test_the_forms_of_a_perceptual_hash_are_the_eight() -> None:
    assert set(FORMS) == set(Dihedral)
