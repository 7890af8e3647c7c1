"""Write what the site must not lose to a folder."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from gallery.management.progress_bar import bar
from search.transfer.backup import backup
from search.transfer.exceptions import TransferError
from search.types import silent


class Command(BaseCommand):
    help = (
        "Write the database, a list of all files of pictures with their checksums, and the snapshots in use to a new "
        "folder; the site may run meanwhile. The folder contains accounts and sessions: keep it safe."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, metavar="TARGET", help="a new folder")
        parser.add_argument("--files", action="store_true", help="the files of the pictures too")

    def handle(self, *_: Any, **options: Any) -> None:
        path, problems = options["target"], 0
        progress = bar if self.stderr.isatty() else silent
        try:
            for problem in backup(path, files=options["files"], progress=progress):
                problems += 1
                self.stderr.write(problem)
        except TransferError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error}.") from error
        self.stdout.write(f"{path} is written.")
        if problems:
            raise CommandError(f"The files of {problems:,} pictures are missing or damaged, listed above.")
