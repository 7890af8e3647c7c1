"""Bring index snapshots up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from search import snapshots
from search.methods import METHODS
from search.progress import bar


class Command(BaseCommand):
    help = "Bring the snapshot of every space up to date, here and now; no worker is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--space", choices=METHODS, help="this one only (default: all)")

    def handle(self, *_: Any, **options: Any) -> None:
        for space in [options["space"]] if options["space"] else METHODS:
            self.stdout.write(f"{space}: {_build(space)}")


def _build(space: str) -> str:
    """What was done, for people."""
    if snapshot := snapshots.build(space, bar):
        size = f"{snapshot.count:,} pictures, {snapshot.bytes / 1e6:.1f} MB"
        return f"built ({snapshot.index}, {size}, up to change {snapshot.sequence:,})."
    return "somebody else is building it now." if snapshots.behind(space) else "is up to date."
