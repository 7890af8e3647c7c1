"""System checks: wrong settings are reported at start, with an id and a cure."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from search.encoders import ENCODERS
from search.encoders.folder import folder_name, folders
from search.indexes import INDEXES, index_class
from search.methods import METHODS, get_method, method_class
from search.snapshots.shared import shared_kinds


@register
def check_space_indexes(**_: Any) -> list[CheckMessage]:
    """Every space is served by an index that knows its metric."""
    problems: list[CheckMessage] = []
    for space in settings.SPACE_INDEXES:
        if space not in METHODS:
            hint = f"Spaces are: {', '.join(METHODS)}."
            problems.append(Error(f"SPACE_INDEXES names no space: {space}", hint=hint, id="search.E001"))
    for space in METHODS:
        metric = get_method(space).metric
        name = settings.SPACE_INDEXES.get(space, get_method(space).index)
        if name not in INDEXES or metric not in index_class(name).metrics:
            hint = f"Set SPACE_INDEXES={space}=NAME with one of: {', '.join(INDEXES)}."
            problems.append(Error(f"Index “{name}” cannot serve {space} ({metric})", hint=hint, id="search.E002"))
    return problems


@register
def check_index_backend(**_: Any) -> list[CheckMessage]:
    """The backend of the indexes is known, its client installed, and its names are names."""
    problems: list[CheckMessage] = []
    if settings.INDEX_BACKEND not in ("embedded", *shared_kinds()):
        hint = f"Write one of: embedded, {', '.join(shared_kinds())}."
        problems.append(Error(f"INDEX_BACKEND is unknown: {settings.INDEX_BACKEND}", hint=hint, id="search.E007"))
    used = {settings.INDEX_BACKEND, *settings.SPACE_INDEXES.values()}
    if "milvus" in used and find_spec("pymilvus") is None:
        hint = "Run .venv/bin/pip install -r requirements-milvus.txt."
        problems.append(Error("The client of Milvus is not installed", hint=hint, id="search.E008"))
    if not re.fullmatch(r"(?!.*__)([A-Za-z]\w{0,40}[A-Za-z0-9])?", settings.MILVUS_PREFIX, re.ASCII):
        hint = "Write letters, digits and single underscores, beginning with a letter."
        problems.append(Error("MILVUS_PREFIX cannot begin names", hint=hint, id="search.E009"))
    return problems


@register
def check_encoders(**_: Any) -> list[CheckMessage]:
    """Encoders that are configured are there or can be fetched."""
    problems: list[CheckMessage] = []
    installed = set(folders(settings.MODELS_ROOT))
    for setting in [method.setting for method in map(method_class, METHODS) if method.needs_encoder]:
        name = getattr(settings, setting, "")
        known = name in ENCODERS or f"{name.partition(':')[0]}:" in ENCODERS or folder_name(name) in installed
        if name and not known:
            hint = f"Write one of: {', '.join(ENCODERS)}; or fetch it first: manage.py fetch_models --help."
            problems.append(Error(f"{setting} names no model: {name}", hint=hint, id="search.E005"))
    if settings.ENCODER_THREADS < 0:
        problems.append(Error("ENCODER_THREADS must not be negative", hint="0 is every core.", id="search.E006"))
    return problems


@register
def check_numbers(**_: Any) -> list[CheckMessage]:
    """Rates can be parsed, a search may have results, and pictures may come in."""
    problems: list[CheckMessage] = []
    for scope, rate in settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"].items():
        if rate and not re.fullmatch(r"\d+/(s|sec|second|m|min|minute|h|hour|d|day)", rate):
            hint = "Write it as 60/min: a number, and one of second, minute, hour, day."
            problems.append(Error(f"THROTTLE_{scope.upper()} is no rate: {rate}", hint=hint, id="search.E003"))
    for name in ("UPLOADS_AT_ONCE", "DECODING_MEMORY"):
        if getattr(settings, name) < 1:
            problems.append(Error(f"{name} must be at least 1", hint="Leave it out.", id="gallery.E001"))
    if settings.MAX_RESULTS < 1:
        problems.append(Error("MAX_RESULTS must be at least 1", hint="Leave it out for 100.", id="search.E004"))
    return problems
