"""How two pictures relate, and why one of them is suggested, in words of the active language."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from search.collection import Image
from search.duplicates.pairs import TURNS, Pair, Relation
from search.duplicates.representatives import bits_per_pixel

# By the number of the turn (pairs.TURNS): alone, and behind something else.
TURNED = (
    _("Turned a little"),
    _("Mirrored"),
    _("Upside down and mirrored"),
    _("Turned by 180°"),
    _("Turned by 90° and mirrored"),
    _("Turned by 90° to the left"),
    _("Turned by 90° to the right"),
    _("Turned by 270° and mirrored"),
)
AND_TURNED = (
    "",
    _("mirrored"),
    _("upside down and mirrored"),
    _("turned by 180°"),
    _("turned by 90° and mirrored"),
    _("turned by 90° to the left"),
    _("turned by 90° to the right"),
    _("turned by 270° and mirrored"),
)
# A pair is described as what became of the second; seen from the other side, a turn goes the other way.
BACK = tuple(TURNS.index(turn.inverse) for turn in TURNS)

# By the codes of search/duplicates/representatives.py.
REASONS = {
    "shows_most": _("shows the most"),
    "largest": _("the largest, %(size)s"),
    "lossless": _("saved without loss, %(format)s"),
    "least_compressed": _("the least compressed, %(bits)s bits a pixel"),
    "time_known": _("knows when it was taken"),
    "oldest": _("here the longest"),
    "most_described": _("has the most tags and albums"),
}


def describe(pair: Pair, kept: Image, other: Image, *, swapped: bool = False) -> str:
    """What the other picture is, compared with the one that is kept: the pair's first, or its second if ``swapped``."""
    kept_share, other_share = reversed(pair.shares) if swapped else pair.shares
    turn = BACK[pair.turn] if swapped else pair.turn
    match pair.relation:
        case Relation.PIXELS:
            return gettext("Same pixels, another file")
        case Relation.RECOMPRESSED:
            return gettext("Recompressed")
        case Relation.RESIZED:
            return gettext("Resized, %(share)s as wide") % {"share": _percent(other.width / kept.width)}
        case Relation.TURNED:
            return str(TURNED[turn])
        case Relation.CROP:
            return ", ".join(filter(None, [_cropped(kept_share, other_share), str(AND_TURNED[turn])]))
    return gettext("Edited")


def reason(code: str, image: Image) -> str:
    """Why a picture is suggested; a sentence that was stored instead of a code, by an older program, as it is."""
    if code not in REASONS:
        return code
    width, height = (number_format(side, force_grouping=True) for side in (image.width, image.height))
    bits = number_format(bits_per_pixel(image.bytes, image.width, image.height), 1)
    return str(REASONS[code]) % {"size": f"{width} × {height}", "format": image.format, "bits": bits}


def _cropped(kept_share: float, other_share: float) -> str:
    if kept_share < other_share:
        return gettext("Crop, %(share)s of it") % {"share": _percent(kept_share)}
    return gettext("Has more around it")


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
