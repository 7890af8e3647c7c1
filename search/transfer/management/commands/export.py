"""Write the collection to files."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from gallery.management.progress_bar import bar
from search.transfer.exceptions import TransferError
from search.transfer.exporting import export
from search.types import silent


class Command(BaseCommand):
    help = (
        "Write all pictures with titles, tags, albums and features to a folder or tar, to move them or use them "
        "elsewhere. A folder that could not be finished is continued when the same command is started again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, metavar="TARGET", help="a new folder, or a new file that ends in .tar")

    def handle(self, *_: Any, **options: Any) -> None:
        path, left_out = options["target"], 0
        try:
            for problem in export(path, bar if self.stderr.isatty() else silent):
                left_out += 1
                self.stderr.write(problem)
        except TransferError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error}. The same command continues later.") from error
        self.stdout.write(f"{path} is written.")
        if left_out:
            raise CommandError(f"{left_out:,} pictures are left out, listed above.")
