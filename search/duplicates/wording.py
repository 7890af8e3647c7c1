"""How two pictures relate, in words."""

from __future__ import annotations

from search.collection import Image
from search.duplicates.pairs import TURNS, Pair, Relation

# A pair is described as what became of the second; seen from the other side, a turn goes the other way.
BACK = (0, 1, 2, 3, 4, 6, 5, 7)


def describe(pair: Pair, kept: Image, other: Image, *, swapped: bool = False) -> str:
    """What the other picture is, compared with the one that is kept: the pair's first, or its second if ``swapped``."""
    kept_share, other_share = reversed(pair.shares) if swapped else pair.shares
    turn = TURNS[BACK[pair.turn] if swapped else pair.turn][0]
    match pair.relation:
        case Relation.PIXELS:
            return "Same pixels, another file"
        case Relation.RECOMPRESSED:
            return "Recompressed"
        case Relation.RESIZED:
            return f"Resized, {_percent(other.width / kept.width)} as wide"
        case Relation.TURNED:
            return turn[0].upper() + turn[1:] if turn else "Turned a little"
        case Relation.CROP:
            part = f"Crop, {_percent(kept_share)} of it" if kept_share < other_share else "Has more around it"
            return f"{part}, {turn}" if turn else part
    return "Edited"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
