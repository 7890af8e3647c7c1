"""Which encoders are installed on this machine, and which spaces use them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from search.encoders.folder import META, Folder, folder_path
from search.exceptions import SearchError
from search.features.versions import SpaceState, state_of, states_of
from search.methods import METHODS, get_method, label_of, words_space

RECOMMENDED = "open_clip:ViT-B-32/laion2b_s34b_b79k"
COMMAND = "manage.py fetch_models"


def root() -> Path:
    """Where encoder folders are."""
    return Path(settings.MODELS_ROOT)


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """An encoder folder as its meta.json describes it; ``spaces`` are the labels of those that use it."""

    key: str
    meta: Mapping[str, Any]
    size: int
    spaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextModel:
    """The model that answers text searches, "" if none does; and the advice and command for a better one.

    ``advice`` is in the language that was active when it was made.
    """

    name: str = ""
    label: str = ""
    advice: str = ""
    command: str = ""


def installed_models() -> list[InstalledModel]:
    """By name; folders that cannot be read are left out. Checksums are verified when a model is loaded, not here."""
    folders = [folder for path in sorted(root().glob(f"[!.]*/{META}")) if (folder := _folder(path.parent))]
    unique = {folder.key: folder for folder in folders}  # a name is a link to a folder that is listed too
    states = states_of(METHODS)
    return [InstalledModel(key, folder.meta, folder.size, used_by(key, states)) for key, folder in unique.items()]


def used_by(key: str, states: Iterable[SpaceState]) -> tuple[str, ...]:
    """Labels of the spaces whose features this encoder makes."""
    return tuple(label_of(state.name) for state in states if key in versions_of(state))


def versions_of(state: SpaceState) -> str:
    """The serving version of a space and the configured one, if there is a model, with a blank between them."""
    try:
        return f"{state.version} {get_method(state.name).version}".strip()
    except SearchError:
        return state.version


def text_model() -> TextModel:
    """The model that answers text searches, and what would answer them better."""
    space = words_space()
    key = versions_of(state_of(space)).partition(" ")[0].partition(":")[2] if space else ""
    folder = _folder(folder_path(root(), key)) if key else None
    if folder is None:
        return TextModel(
            advice=_("No text model is installed yet. This command creates one without a network connection:"),
            command=COMMAND,
        )
    name, label = folder.name, str(folder.meta.get("label", folder.name))
    if folder.meta["kind"] == "clip":
        return TextModel(name, label)
    advice = _("CLIP understands words better. This command installs it, and the site switches to it:")
    return TextModel(name, label, advice, f"{COMMAND} {RECOMMENDED}")


def _folder(path: Path) -> Folder | None:
    try:
        meta = json.loads((path / META).read_bytes())
        folder = Folder(path.resolve(), meta)
        return folder if {"name", "kind", "files"} <= set(meta) and folder.key else None
    except (OSError, ValueError, TypeError):
        return None
