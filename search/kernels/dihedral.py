"""The eight turns and mirrors of a picture: the dihedral group of the square, in the names of Pillow's ``Transpose``.

Rotations are counterclockwise, as Pillow's are.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)
Affine = tuple[tuple[int, int, int], tuple[int, int, int]]


class Dihedral(StrEnum):
    """One of the eight; the value is its code."""

    IDENTITY = "identity"
    FLIP_LEFT_RIGHT = "flip_left_right"
    FLIP_TOP_BOTTOM = "flip_top_bottom"
    ROTATE_90 = "rotate_90"
    ROTATE_180 = "rotate_180"
    ROTATE_270 = "rotate_270"
    TRANSPOSE = "transpose"
    TRANSVERSE = "transverse"

    def apply(self, pixels: NDArray[Scalar]) -> NDArray[Scalar]:
        """A view of the pixels ``(height, width, ...)``, transformed."""
        transposed, flip_x, flip_y = STEPS[self]
        view: Any = pixels.swapaxes(0, 1) if transposed else pixels
        result: NDArray[Scalar] = view[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
        return result

    @property
    def inverse(self) -> Dihedral:
        """What undoes it; only the quarter turns are not their own inverse."""
        swapped = {Dihedral.ROTATE_90: Dihedral.ROTATE_270, Dihedral.ROTATE_270: Dihedral.ROTATE_90}
        return swapped.get(self, self)

    @property
    def origin(self) -> Affine:
        """Where a point of the transformed picture was before: a map ``(2, 3)`` of shares of width and height."""
        transposed, flip_x, flip_y = STEPS[self]
        x = (-1, 0, 1) if flip_x else (1, 0, 0)
        y = (0, -1, 1) if flip_y else (0, 1, 0)
        return (y, x) if transposed else (x, y)


# Whether the axes are exchanged, and which of them are then reversed: x (left to right), y (top to bottom).
STEPS = {
    Dihedral.IDENTITY: (False, False, False),
    Dihedral.FLIP_LEFT_RIGHT: (False, True, False),
    Dihedral.FLIP_TOP_BOTTOM: (False, False, True),
    Dihedral.ROTATE_180: (False, True, True),
    Dihedral.TRANSPOSE: (True, False, False),
    Dihedral.ROTATE_90: (True, False, True),
    Dihedral.ROTATE_270: (True, True, False),
    Dihedral.TRANSVERSE: (True, True, True),
}
