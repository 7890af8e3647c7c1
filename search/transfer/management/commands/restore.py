"""Make the site what a backup is."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from gallery.management.progress_bar import bar
from search.transfer.exceptions import TransferError
from search.transfer.restore import restore
from search.types import silent


class Command(BaseCommand):
    help = "Make the site what a backup is. The entire backup is checked before anything is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder that backup wrote")
        parser.add_argument("--replace", action="store_true", help="even if there are pictures or accounts, which go")
        parser.add_argument("--incomplete", action="store_true", help="even if files of pictures are missing")

    def handle(self, *_: Any, **options: Any) -> None:
        progress = bar if self.stderr.isatty() else silent
        try:
            restore(
                options["source"],
                replace=options["replace"],
                incomplete=options["incomplete"],
                say=self.stdout.write,
                progress=progress,
            )
        except TransferError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"It cannot be stored: {error}. The same command continues later.") from error
        self.stdout.write(f"The site is what it was in {options['source']}.")
