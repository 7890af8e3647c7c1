"""How two pictures relate, and why one of them is suggested, in words of the active language."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from search.collection import Image
from search.duplicates.relations import Comparison, Relation
from search.duplicates.representatives import bits_per_pixel
from search.kernels.dihedral import Dihedral

# What became of the second picture, which the transform undoes: on its own, and behind something else.
SENTENCE = {
    Dihedral.IDENTITY: _("Turned a little"),
    Dihedral.FLIP_LEFT_RIGHT: _("Mirrored"),
    Dihedral.FLIP_TOP_BOTTOM: _("Upside down and mirrored"),
    Dihedral.ROTATE_180: _("Turned by 180°"),
    Dihedral.TRANSPOSE: _("Turned by 90° and mirrored"),
    Dihedral.ROTATE_270: _("Turned by 90° to the left"),
    Dihedral.ROTATE_90: _("Turned by 90° to the right"),
    Dihedral.TRANSVERSE: _("Turned by 270° and mirrored"),
}
ADDITION = {
    Dihedral.IDENTITY: "",
    Dihedral.FLIP_LEFT_RIGHT: _("mirrored"),
    Dihedral.FLIP_TOP_BOTTOM: _("upside down and mirrored"),
    Dihedral.ROTATE_180: _("turned by 180°"),
    Dihedral.TRANSPOSE: _("turned by 90° and mirrored"),
    Dihedral.ROTATE_270: _("turned by 90° to the left"),
    Dihedral.ROTATE_90: _("turned by 90° to the right"),
    Dihedral.TRANSVERSE: _("turned by 270° and mirrored"),
}

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


def describe(comparison: Comparison, kept: Image, other: Image, *, swapped: bool = False) -> str:
    """What the other picture is, compared with the one that is kept.

    The kept one is the first of the comparison, or its second if ``swapped``.
    """
    kept_share, other_share = reversed(comparison.shares) if swapped else comparison.shares
    transform = comparison.transform.inverse if swapped else comparison.transform
    match comparison.relation:
        case Relation.IDENTICAL:
            return gettext("Same pixels, another file")
        case Relation.RECOMPRESSED:
            return gettext("Recompressed")
        case Relation.RESIZED:
            return gettext("Resized, %(share)s as wide") % {"share": _percent(other.width / kept.width)}
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
    bits = number_format(bits_per_pixel(image.bytes, image.width, image.height), 1)
    return str(REASONS[code]) % {"size": f"{width} × {height}", "format": image.format, "bits": bits}


def _cropped(kept_share: float, other_share: float) -> str:
    if kept_share < other_share:
        return gettext("Crop, %(share)s of it") % {"share": _percent(kept_share)}
    return gettext("Has more around it")


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"
