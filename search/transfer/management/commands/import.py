"""Import a collection that ``export`` wrote."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError

from gallery.management.progress_bar import bar
from search.transfer.exceptions import TransferError
from search.transfer.importing import Report, import_collection
from search.transfer.sources import open_source
from search.types import silent


class Command(BaseCommand):
    help = (
        "Import what export wrote: pictures, titles, tags, albums, and features where their versions are those of the "
        "site, so that nothing is computed again. Pictures that exist keep their titles and tags. An import that was "
        "stopped continues when the same command is started again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", type=Path, metavar="SOURCE", help="a folder or .tar that export wrote")

    def handle(self, *_: Any, **options: Any) -> None:
        report = Report(self.stderr.write)
        try:
            import_collection(open_source(options["source"]), report, bar if self.stderr.isatty() else silent)
        except TransferError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"Pictures cannot be stored: {error}. The same command continues later.") from error
        self.stdout.write(
            f"{report.added:,} pictures added, {report.known:,} there already, {report.features:,} features "
            f"imported, {report.recomputed:,} pictures left for the workers."
        )
        if report.damaged:
            raise CommandError(f"{report.damaged:,} damaged items are left out, listed above. All others are imported.")
