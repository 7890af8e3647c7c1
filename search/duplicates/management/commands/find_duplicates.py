"""Look for duplicates."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from gallery.management.progress_bar import bar
from search.duplicates import finding
from search.duplicates.models import Group


class Command(BaseCommand):
    help = "Look for duplicates among new pictures, here and now; no worker is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--again", action="store_true", help="look at every picture once more")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["again"]:
            finding.look_again()
        waiting = finding.waiting()
        looked = finding.find(bar)
        if waiting and not looked:
            self.stdout.write("Somebody else is looking now.")
        self.stdout.write(f"{looked:,} pictures were looked at; {Group.objects.count():,} groups wait at /duplicates/.")
