"""The table of methods: space -> (label, dotted path); a new method is one file and one line."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from search.exceptions import UnknownSpace
from search.methods.base import Method

METHODS: dict[str, tuple[str, str]] = {
    "phash": ("Perceptual hash", "search.methods.phash.PerceptualHash"),
    "color": ("Colours", "search.methods.color.ColorHistogram"),
    "local": ("Parts", "search.methods.local.LocalFeatures"),
    "neural": ("Kind of thing", "search.methods.neural.NeuralFeatures"),
    "semantic": ("Meaning", "search.methods.semantic.JointSpace"),
}


ALL = "all"


def spaces_of(method: str) -> tuple[str, ...]:
    """The spaces that a ``method`` parameter names. Raises UnknownSpace."""
    if method == ALL:
        return tuple(METHODS)
    get_method(method)
    return (method,)


def get_method(space: str) -> Method:
    """The method that serves a space, as it is configured now; its libraries are imported on first use."""
    if space not in METHODS:
        raise UnknownSpace(f"There is no method “{space}”. Choose one of: all, {', '.join(METHODS)}.")
    return _method(space).now()


@cache
def _method(space: str) -> Method:
    module, _, attribute = METHODS[space][1].rpartition(".")
    method: Method = getattr(import_module(module), attribute)()
    return method
