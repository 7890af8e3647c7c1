"""Translation at the border: messages of code that knows no Django, and the texts of scripts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _


@runtime_checkable
class Translatable(Protocol):
    """An English text that knows what was filled into what: search/types.py has one."""

    text: str
    params: Mapping[str, object]


def localized(message: object) -> str:
    """A Translatable in the active language; anything else as it is."""
    if not isinstance(message, Translatable):
        return str(message)
    text = gettext(message.text)
    return text % {name: localized(value) for name, value in message.params.items()} if message.params else text


# Of static/**.js, which call told() with them; {n} and the like are filled in there.
IN_SCRIPTS = (
    _("Box: the part of the picture to search by"),
    _("The box that is drawn"),
    _("Choose another picture"),
    _("Searching…"),
    _("The picture is too large. Please try again."),
    _("The search failed. Please try again."),
    _("The site cannot be reached. Please try again."),
    _("{n} added"),
    _("{n} already here"),
    _("{n} not added"),
    _("{n} waiting"),
    _("Add pictures"),
    _("Choose more pictures"),
    _("Choose pictures"),
    _("Waiting"),
    _("The site is busy; this goes on by itself."),
    _("Try again"),
    _("The site cannot be reached."),
    _("You are no longer logged in."),
    _("You may not add pictures any more."),
    _("Too large."),
    _("Not added."),
    _("{n} selected"),
    _("None selected"),
    _("Open"),
    _("Close"),
    _("Picture before"),
    _("Picture after"),
    _("View large"),
    _("This picture cannot be shown. It may have been deleted."),
    _("Picture"),
    _("Not found"),
    _("{title}, open its page"),
    _("Draw a line around pictures to select them."),
    _("That did not work. Please try again."),
    _("That did not work. Load the page again."),
    _("The site did not answer. Please try again."),
    _("The site cannot be reached. Nothing was decided; try again."),
    _("The site cannot be reached. Nothing was undone; try again."),
    _("Nothing found for “{words}”."),
    _("Like these"),
)
# The same with a number {n}, which counted() fills in; by the plural.
COUNTED_IN_SCRIPTS: Mapping[str, Callable[[int], str]] = {
    "Add {n} pictures": lambda n: ngettext("Add {n} picture", "Add {n} pictures", n),
    "{n} pictures found": lambda n: ngettext("{n} picture found", "{n} pictures found", n),
    "{n} pictures found by title": lambda n: ngettext("{n} picture found by title", "{n} pictures found by title", n),
    "{n} pictures selected": lambda n: ngettext("{n} picture selected", "{n} pictures selected", n),
}
CATEGORIES = {"one": 1, "few": 2, "many": 5}  # of JavaScript's Intl.PluralRules, with a number of each


def in_scripts() -> Mapping[str, str | dict[str, str]]:
    """English -> the active language, for all that scripts say; a plural -> its form for each of CATEGORIES."""
    found: dict[str, str | dict[str, str]] = {text: gettext(text) for text in IN_SCRIPTS}
    for plural, form in COUNTED_IN_SCRIPTS.items():
        found[plural] = {name: form(n) for name, n in CATEGORIES.items()}
    return found
