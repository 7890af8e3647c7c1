"""Write what the site must not lose to a folder."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from gallery.management.progress_bar import bar
from search.transfer.backup import backup
from search.transfer.exceptions import MovingError
from search.types import silent


class Command(BaseCommand):
    help = (
        "Write the database, a list of all files of pictures with their checksums, and the snapshots in use to a new "
        "folder; the site may run meanwhile. The folder has accounts and sessions in it: keep it safe."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", type=Path, metavar="TARGET", help="a new folder")
        parser.add_argument("--files", action="store_true", help="the pictures themselves too")

    def handle(self, *_: Any, **options: Any) -> None:
        path, wrong = options["target"], 0
        progress = bar if self.stderr.isatty() else silent
        try:
            for problem in backup(path, files=options["files"], progress=progress):
                wrong += 1
                self.stderr.write(problem)
        except MovingError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error}.") from error
        self.stdout.write(f"{path} is written.")
        if wrong:
            raise CommandError(f"The files of {wrong:,} pictures are missing or damaged, as said above.")
