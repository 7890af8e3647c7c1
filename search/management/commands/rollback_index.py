"""Let an earlier snapshot serve again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from search.exceptions import SearchError
from search.methods import METHODS
from search.snapshots.rollback import rollback


class Command(BaseCommand):
    help = "Let the snapshot before the one in use serve again; nothing that came later is lost."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--space", choices=METHODS, required=True)
        parser.add_argument(
            "--version-before", action="store_true", help="the newest of the method's or model's version before"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            snapshot = rollback(options["space"], "the command rollback_index", version=options["version_before"])
        except SearchError as error:
            raise CommandError(str(error)) from error
        serves = f"the snapshot of {snapshot.created_at:%Y-%m-%d %H:%M} serves, up to change {snapshot.sequence:,}"
        self.stdout.write(f"{options['space']}: {serves}; what came later is searched beside it.")
        self.stdout.write(f"Its version is {snapshot.version}.")
