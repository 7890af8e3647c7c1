"""The table of methods: space -> (label, dotted path); a new method is one file and one line."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from search.exceptions import UnknownSpace
from search.methods.base import Method
from search.types import gettext_noop as _

METHODS: dict[str, tuple[str, str]] = {
    "phash": (_("Perceptual hash"), "search.methods.phash.PerceptualHash"),
    "color": (_("Colours"), "search.methods.color.ColorHistogram"),
    "local": (_("Parts"), "search.methods.local.LocalFeatures"),
    "neural": (_("Kind of thing"), "search.methods.neural.NeuralFeatures"),
    "semantic": (_("Meaning"), "search.methods.semantic.JointSpace"),
}


ALL = "all"
ALL_LABEL = _("All together")


def label_of(method: str) -> str:
    """What people call a method or all together, in English; a name that is not in the table stays as it is."""
    return ALL_LABEL if method == ALL else METHODS[method][0] if method in METHODS else method


def spaces_of(method: str) -> tuple[str, ...]:
    """The spaces that a ``method`` parameter names. Raises UnknownSpace."""
    if method == ALL:
        return tuple(METHODS)
    get_method(method)
    return (method,)


def get_method(space: str) -> Method:
    """The method that serves a space, as it is configured now; its libraries are imported on first use."""
    if space not in METHODS:
        raise UnknownSpace("unknown_method", name=space, choices=", ".join([ALL, *METHODS]))
    return _method(space).now()


@cache
def _method(space: str) -> Method:
    module, attribute = METHODS[space][1].rsplit(".", 1)
    method: Method = getattr(import_module(module), attribute)()
    return method
