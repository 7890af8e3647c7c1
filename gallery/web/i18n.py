"""Texts that are shown, but stand where no translation can be asked for: in scripts, and in code that knows no Django.

They are written down here once more so that makemessages finds them; tests/imagesite/test_languages.py compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_noop as _

LABELS = (
    # search/methods and search/web/forms.py
    _("All together"),
    _("Perceptual hash"),
    _("Colours"),
    _("Parts"),
    _("Kind of thing"),
    _("Meaning"),
    # gallery/web/paging.py
    _("Newest"),
    _("Oldest"),
    _("Title"),
    _("Largest file"),
    # search/explain/evidence.py
    _("as it is"),
    _("mirrored"),
    _("mirrored top to bottom"),
    _("turned by 180°"),
    _("mirrored along its diagonal"),
    _("turned by 90° to the left"),
    _("turned by 90° to the right"),
    _("mirrored along its other diagonal"),
    # search/explain/drawing.py
    _("The query"),
    _("The result"),
    _("Where they differ"),
    # search/templatetags/likeness.py
    _("The middle"),
    _("The left half"),
    _("The right half"),
    _("The upper half"),
    _("The lower half"),
    _("Upper left"),
    _("Upper right"),
    _("Lower left"),
    _("Lower right"),
    # benchmarks/results/quality.json, on the help page
    _("mean"),
    _("half size"),
    _("eighth size"),
    _("grey"),
    _("blur"),
    _("noise"),
    _("letterbox"),
    _("caption bar"),
    _("watermark"),
    _("in a screenshot"),
    _("in a collage"),
    _("mirror"),
    _("perspective"),
    _("turn 5°, brighter, JPEG 30"),
    _("mirror, crop 50%"),
    _("mirror, turn 30°"),
    _("crop 50%, half size, JPEG 30"),
    _("crop 80%, caption bar, JPEG 50"),
    _("grey, crop 50%, border 5%"),
    _("screenshot, half size, JPEG 50"),
    # search/duplicates
    _("Same pixels"),
    _("Same pixels, another file"),
    _("Recompressed"),
    _("Resized"),
    _("Mirrored or turned"),
    _("Crop"),
    _("Edited"),
    _("Turned a little"),
    _("Mirrored"),
    _("Upside down and mirrored"),
    _("upside down and mirrored"),
    _("Turned by 180°"),
    _("Turned by 90° and mirrored"),
    _("turned by 90° and mirrored"),
    _("Turned by 90° to the left"),
    _("Turned by 90° to the right"),
    _("Turned by 270° and mirrored"),
    _("turned by 270° and mirrored"),
    _("Has more around it"),
    _("shows the most"),
    _("knows when it was taken"),
    _("here the longest"),
    _("has the most tags and albums"),
    _("Side by side"),
    _("Overlay"),
    _("Difference"),
    _("Size"),
    _("Format"),
    _("File size"),
    _("Taken"),
    _("Camera"),
    _("Added"),
    _("Tags"),
    _("Albums"),
    # search/map/build.py
    _("Reading features"),
    _("Laying out"),
    _("Naming groups"),
    _("Drawing"),
    _("Drawing the whole"),
)

SENTENCES = (
    # gallery/decoding.py, gallery/url_fetch.py
    _("The file is empty."),
    _("Too many pictures are coming in at once. Send this one again in a few seconds."),
    _("The picture is damaged or incomplete. Save it again and retry."),
    _("The picture is built from too many small pieces. Save it again."),
    _("The picture has too many scans. Save it again as a plain JPEG."),
    _("This is not a picture, or its first bytes are damaged."),
    _("This is not a picture's address. Paste one that begins with http:// or https://."),
    _("The site could not be reached. Check the address, or save the picture and upload it."),
    _("This name is unknown or not on the public internet. Check it, or upload the picture."),
    _("No picture was found at this address. Open it in a browser, save the picture and upload it."),
    _("This address redirects too often. Paste the address of the picture itself."),
    _("Remove the user name and password from the address."),
    # search
    _("This way of searching failed; the log says why."),
    _("This picture is still being worked on."),
    _("The found picture is still being worked on."),
    _("No text model is installed, so words are looked for in titles and tags only. Run manage.py fetch_models."),
    _("No text model is here yet. This command makes one, without a network:"),
    _("CLIP understands words better; this command installs it, once, and the site goes over to it:"),
    _("A region is four numbers: x,y,w,h, each between 0 and 1."),
    _("The region must lie inside the picture: x, y, w and h are shares of its size, 0 to 1."),
    _("This picture is too flat or too small: it has no corners or textures to look for."),
    _("None of these pictures can be searched by yet."),
    _("Pictures of this way of searching have no mean."),
    # search/duplicates/services.py
    _("This picture is no longer in the group. Load the page again."),
    _("Nothing in the group is the same as this picture any more. Load the page again."),
    _("This was undone already."),
    _("These pictures are no longer in the trash."),
    _("This group is no longer there; somebody has decided on it. Load the page again."),
)

PATTERNS = (
    _("The file has %(size)s bytes; at most %(most)s are taken."),
    _("The picture has too many pixels; at most %(most)s megapixels are taken."),
    _("The animation has %(frames)s frames; at most %(most)s are taken."),
    _("%(format)s files are not taken. Save it as PNG or JPEG."),
    _("The site took longer than %(time)s seconds. Save the picture and upload it."),
    _("Only the ports %(ports)s are allowed. Upload the picture instead."),
    _("This file is larger than %(size)s bytes. Save a smaller copy and upload it."),
    _("“%(method)s” knows no words. Search by meaning, or by a picture."),
    _("The model “%(name)s” is not there. Run: manage.py fetch_models %(command)s"),
    _(
        "The vector database (Milvus at %(address)s) does not answer. "
        "New pictures are kept, and are found when it is back."
    ),
    _("turn %(degrees)s°"),
    _("hue %(degrees)s°"),
    _("squashed to %(share)s"),
    _("darker %(share)s"),
    _("contrast %(share)s"),
    _("%(share)s covered"),
    _("crop %(share)s"),
    _("brighter %(share)s"),
    _("border %(share)s"),
    _("Resized, %(share)s as wide"),
    _("Crop, %(share)s of it, %(turn)s"),
    _("Crop, %(share)s of it"),
    _("Has more around it, %(turn)s"),
    _("the largest, %(size)s"),
    _("saved without loss, %(format)s"),
    _("the least compressed, %(bits)s bits a pixel"),
)

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


def told(text: str) -> str:
    """A finished English text in the active language; unknown ones stay as they are."""
    if not text or get_language() == "en":
        return text
    if (said := gettext(text)) != text:
        return said
    for msgid, pattern in _patterns():
        if found := pattern.fullmatch(text):
            return gettext(msgid) % {name: told(value) for name, value in found.groupdict().items()}
    return text


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(text, re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+?)", re.escape(text)))) for text in PATTERNS]
