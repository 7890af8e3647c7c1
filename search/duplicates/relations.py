"""What one duplicate can be, compared with the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from search.duplicates.alignment import IDENTITY, Matrix
from search.kernels.dihedral import Dihedral


class Relation(StrEnum):
    """The values are stored, and part of the API."""

    IDENTICAL = "pixels"
    RECOMPRESSED = "recompressed"
    RESIZED = "resized"
    MIRRORED_OR_ROTATED = "turned"
    CROP = "crop"  # seen from the other side: it contains the other
    EDITED = "edited"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two duplicates relate.

    ``transform`` makes the second look like the first, but for a rotation by less than 45 degrees. ``matrix`` says
    where the second lies in the first. ``difference``: mean of what both show, in grey levels of 255. ``shares``: of
    the first's and of the second's area, how much the other shows.
    """

    relation: Relation
    transform: Dihedral
    matrix: Matrix
    difference: float
    shares: tuple[float, float] = (1.0, 1.0)


# In the order of the numbers that are stored. Of transforms that fit as well as each other, the first is chosen.
TRANSFORMS = (
    Dihedral.IDENTITY,
    Dihedral.FLIP_LEFT_RIGHT,
    Dihedral.FLIP_TOP_BOTTOM,
    Dihedral.ROTATE_180,
    Dihedral.TRANSPOSE,
    Dihedral.ROTATE_270,
    Dihedral.ROTATE_90,
    Dihedral.TRANSVERSE,
)
SAME_PIXELS = Comparison(Relation.IDENTICAL, Dihedral.IDENTITY, IDENTITY, 0.0)
