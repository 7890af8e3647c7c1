"""Take in a collection that ``export`` wrote."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from gallery.management.progress_bar import bar
from search.transfer.exceptions import MovingError
from search.transfer.importing import Arrivals, take
from search.transfer.places import place
from search.types import silent


class Command(BaseCommand):
    help = (
        "Take in what export wrote: pictures, titles, tags, albums, and features where their versions are the site's "
        "own, so that nothing is computed again. What is here already keeps its title and tags. An import that was "
        "stopped goes on when the same command is started again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder or .tar that export wrote")

    def handle(self, *_: Any, **options: Any) -> None:
        arrivals = Arrivals(self.stderr.write)
        try:
            take(place(options["source"]), arrivals, bar if self.stderr.isatty() else silent)
        except MovingError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"Pictures cannot be stored: {error}. The same command goes on later.") from error
        self.stdout.write(
            f"{arrivals.added:,} pictures added, {arrivals.known:,} there already, {arrivals.features:,} features "
            f"taken, {arrivals.recomputed:,} pictures left for the workers."
        )
        if arrivals.damaged:
            raise CommandError(f"{arrivals.damaged:,} damaged items are left out, as said above. All else is here.")
