"""Bring index snapshots up to date."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from gallery.management.progress_bar import bar
from search.features.backlog import complete
from search.features.versions import accept, state_of
from search.methods import METHODS
from search.snapshots.build import behind, build


class Command(BaseCommand):
    help = "Bring the snapshot of every space up to date, here and now; no worker is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--space", choices=METHODS, help="this one only (default: all)")

        parser.add_argument("--accept", action="store_true", help="let a version come again that was rolled back")

    def handle(self, *_: Any, **options: Any) -> None:
        for space in [options["space"]] if options["space"] else METHODS:
            if options["accept"]:
                accept(space)
            self.stdout.write(f"{space}: {_build(space)}")


def _build(space: str) -> str:
    """What was done, for people."""
    if problem := state_of(space).problem:
        return f"cannot be built. {problem}"
    if snapshot := build(space, bar):
        size = f"{snapshot.count:,} pictures, {snapshot.bytes / 1e6:.1f} MB"
        return f"built ({snapshot.index}, {size}, up to change {snapshot.sequence:,})."
    state = state_of(space)
    if state.coming and not complete(state):
        command = f"manage.py extract_features --space {space}"
        return f"is up to date; {state.coming.version} is not complete yet: {command}"
    return "somebody else is building it now." if behind(state) else "is up to date."
