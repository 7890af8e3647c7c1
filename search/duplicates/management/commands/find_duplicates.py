"""Detect duplicates."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from gallery.management.progress_bar import bar
from search.duplicates import detection
from search.duplicates.models import Group


class Command(BaseCommand):
    help = "Look for duplicates of new pictures in this process; no worker is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--again", action="store_true", help="compare every picture once more")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["again"]:
            detection.restart()
        waiting = detection.waiting()
        compared = detection.detect(bar)
        if waiting and not compared:
            self.stdout.write("Another process is looking for duplicates now.")
        self.stdout.write(
            f"{compared:,} pictures were compared; {Group.objects.count():,} groups wait at /duplicates/."
        )
