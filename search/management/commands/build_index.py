"""Bring index snapshots up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from gallery.management.progress_bar import bar
from search.features import backlog, versions
from search.methods import METHODS
from search.snapshots import build


class Command(BaseCommand):
    help = "Bring the snapshot of every space up to date, here and now; no worker is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--space", choices=METHODS, help="this one only (default: all)")

        parser.add_argument("--accept", action="store_true", help="let a version come again that was rolled back")

    def handle(self, *_: Any, **options: Any) -> None:
        for space in [options["space"]] if options["space"] else METHODS:
            if options["accept"]:
                versions.accept(space)
            self.stdout.write(f"{space}: {_build(space)}")


def _build(space: str) -> str:
    """What was done, for people."""
    if reason := versions.problem(space):
        return f"cannot be built. {reason}"
    if snapshot := build.build(space, bar):
        size = f"{snapshot.count:,} pictures, {snapshot.bytes / 1e6:.1f} MB"
        return f"built ({snapshot.index}, {size}, up to change {snapshot.sequence:,})."
    if len(coming := versions.wanted(space)) > 1 and not backlog.complete(space, coming[1]):
        return f"is up to date; {coming[1].version} is not complete yet: manage.py extract_features --space {space}"
    return "somebody else is building it now." if build.behind(space) else "is up to date."
