"""The table of methods: space -> dotted path of its class; a new method is one file and one line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

from search.exceptions import UnknownSpace
from search.methods.base import Method
from search.types import gettext_noop as _

METHODS: dict[str, str] = {
    "phash": "search.methods.phash.PerceptualHash",
    "color": "search.methods.color.ColorHistogram",
    "local": "search.methods.local.LocalFeatures",
    "neural": "search.methods.neural.NeuralFeatures",
    "semantic": "search.methods.semantic.JointSpace",
}

ALL = "all"
ALL_LABEL = _("Best match")


def method_class(space: str) -> type[Method]:
    """The class that stands for a space in the table, with all that is said about the method. Raises UnknownSpace."""
    if space not in METHODS:
        raise UnknownSpace("unknown_method", name=space, choices=", ".join([ALL, *METHODS]))
    return _imported(METHODS[space])


def get_method(space: str) -> Method:
    """The method that serves a space, as it is configured now. Raises UnknownSpace."""
    return _method(method_class(space)).now()


def first_space(has: Callable[[type[Method]], bool]) -> str:
    """The first space of the table whose method has a capability; "" if none has."""
    return next((space for space in METHODS if has(method_class(space))), "")


def words_space() -> str:
    """The space that answers words where no other is named; "" if no method knows words."""
    return first_space(lambda method: method.answers_words) or first_space(lambda method: method.knows_words)


def label_of(method: str) -> str:
    """What people call a method or all together, in English; a name that is not in the table stays as it is."""
    return ALL_LABEL if method == ALL else method_class(method).label if method in METHODS else method


def spaces_of(method: str) -> tuple[str, ...]:
    """The spaces that a ``method`` parameter names. Raises UnknownSpace."""
    if method == ALL:
        return tuple(METHODS)
    method_class(method)
    return (method,)


@cache
def _imported(path: str) -> type[Method]:
    module, attribute = path.rsplit(".", 1)
    imported: type[Method] = getattr(import_module(module), attribute)
    return imported


@cache
def _method(chosen: type[Method]) -> Method:
    return chosen()
