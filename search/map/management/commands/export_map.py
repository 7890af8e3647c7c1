"""Write the map as one large picture."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from gallery.management.progress_bar import bar
from search.map import services
from search.map.positions import serving
from search.map.poster import LARGEST, Poster, png
from search.methods import METHODS
from search.types import silent


class Command(BaseCommand):
    help = "Write the map of a space as one PNG."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="where to write it, for example map.png")
        parser.add_argument("--space", choices=list(METHODS), help="the preferred map if not given")
        parser.add_argument("--size", type=int, default=LARGEST, help=f"longer side, pixels, at most {LARGEST}")
        parser.add_argument("--make", action="store_true", help="lay the space out first, in this process")

    def handle(self, *_: Any, **options: Any) -> None:
        space = options["space"] or next(iter(services.mappable()))
        if options["make"]:
            services.advance(services.request_layout(space=space).pk)
        layout = serving(space)
        if layout is None:
            raise CommandError(f"There is no map of {space} yet. A worker makes it, or this command with --make.")
        try:
            poster = Poster(layout, options["size"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        progress = bar if options["verbosity"] else silent
        strips = progress(poster.strips(), poster.count, "drawing")
        with options["file"].open("wb") as file:
            file.writelines(png(strips, poster.width, poster.height))
        if options["verbosity"]:
            self.stdout.write(f"{options['file']}: {poster.width} x {poster.height} pixels")
