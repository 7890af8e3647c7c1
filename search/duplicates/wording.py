"""How two pictures relate, and why one of them is suggested, in words of the active language."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from search.collection import Image
from search.duplicates.relations import Comparison, Relation
from search.kernels.dihedral import Dihedral

# What became of the second picture, which the transform undoes: on its own, and behind something else.
SENTENCE = {
    Dihedral.IDENTITY: _("Slightly rotated"),
    Dihedral.FLIP_LEFT_RIGHT: _("Mirrored"),
    Dihedral.FLIP_TOP_BOTTOM: _("Flipped vertically"),
    Dihedral.ROTATE_180: _("Rotated 180°"),
    Dihedral.TRANSPOSE: _("Rotated 90° and mirrored"),
    Dihedral.ROTATE_270: _("Rotated 90° left"),
    Dihedral.ROTATE_90: _("Rotated 90° right"),
    Dihedral.TRANSVERSE: _("Rotated 270° and mirrored"),
}
ADDITION: dict[Dihedral, str | Promise] = {
    Dihedral.IDENTITY: "",
    Dihedral.FLIP_LEFT_RIGHT: _("mirrored"),
    Dihedral.FLIP_TOP_BOTTOM: _("flipped vertically"),
    Dihedral.ROTATE_180: _("rotated 180°"),
    Dihedral.TRANSPOSE: _("rotated 90° and mirrored"),
    Dihedral.ROTATE_270: _("rotated 90° left"),
    Dihedral.ROTATE_90: _("rotated 90° right"),
    Dihedral.TRANSVERSE: _("rotated 270° and mirrored"),
}

# By the codes of search/duplicates/representatives.py.
REASONS = {
    "shows_most": _("shows the most"),
    "largest": _("largest, %(size)s"),
    "lossless": _("lossless, %(format)s"),
    "least_compressed": _("least compressed"),
    "time_known": _("has the date it was taken"),
    "oldest": _("added first"),
    "most_described": _("most tags and albums"),
}


def describe(comparison: Comparison, kept: Image, other: Image, *, swapped: bool = False) -> str:
    """What the other picture is, compared with the one that is kept.

    The kept one is the first of the comparison, or its second if ``swapped``.
    """
    kept_share, other_share = reversed(comparison.shares) if swapped else comparison.shares
    transform = comparison.transform.inverse if swapped else comparison.transform
    match comparison.relation:
        case Relation.IDENTICAL:
            return gettext("Identical picture, different file")
        case Relation.RECOMPRESSED:
            return gettext("Recompressed")
        case Relation.RESIZED:
            return gettext("Resized to %(share)s of the width") % {"share": _percent(other.width / kept.width)}
        case Relation.MIRRORED_OR_ROTATED:
            return str(SENTENCE[transform])
        case Relation.CROP:
            return ", ".join(filter(None, [_cropped(kept_share, other_share), str(ADDITION[transform])]))
    return gettext("Edited")


def reason(code: str, image: Image) -> str:
    """Why a picture is suggested; a sentence that was stored instead of a code, by an older program, as it is."""
    if code not in REASONS:
        return code
    width, height = (number_format(side, force_grouping=True) for side in (image.width, image.height))
    return str(REASONS[code]) % {"size": f"{width} × {height}", "format": image.format}


def _cropped(kept_share: float, other_share: float) -> str:
    if kept_share < other_share:
        return gettext("Cropped to %(share)s") % {"share": _percent(kept_share)}
    return gettext("Shows more around the edges")


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
