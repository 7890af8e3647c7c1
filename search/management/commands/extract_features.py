"""Compute features in this process."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.management import BaseCommand

from gallery.management.progress_bar import bar
from search.features import backlog, extraction
from search.features.store import current
from search.features.versions import accept, states_of
from search.methods import METHODS
from search.models import Extraction

BATCH = 32  # pictures in a transaction


class Command(BaseCommand):
    help = "Compute the features that pictures lack, here and now; no worker is needed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--space", choices=METHODS, help="this one only (default: all)")
        parser.add_argument("--missing", action="store_true", help="what is missing; this is the default")
        parser.add_argument("--force", action="store_true", help="compute again what is there, and what was given up")

    def handle(self, *_: Any, **options: Any) -> None:
        names = [options["space"]] if options["space"] else list(METHODS)
        if options["force"]:
            for name in names:
                accept(name)
            backlog.mark_stale(states_of(names))
        total = backlog.lacking(states_of(names), thumbnails=True).count()
        for batch in bar(_batches(names), -(-total // BATCH), "batches of pictures"):
            extraction.extract(batch, names)
        self._report(names, total)

    def _report(self, names: Sequence[str], total: int) -> None:
        states = states_of(names)
        for state in states:
            if state.problem:
                self.stdout.write(f"{state.name}: cannot be extracted. {state.problem}")
                continue
            self.stdout.write(f"{state.name}: {current(state).filter(stale=False).count():,} pictures are done.")
        for failed in Extraction.objects.exclude(error="")[:20]:
            self.stdout.write(f"Picture {failed.image_id} failed {failed.tries} times: {failed.error}")
        left = backlog.lacking(states).count()
        if total and left:
            self.stdout.write(f"{left:,} pictures still lack a feature; the same command tries them again.")


def _batches(names: Iterable[str]) -> Iterator[list[int]]:
    """Ids of what lacks something, each once: a picture that fails must not come again and again."""
    last = 0
    while batch := list(_after(names, last)):
        yield batch
        last = batch[-1]


def _after(names: Iterable[str], last: int) -> Iterable[int]:
    return backlog.lacking(states_of(names), thumbnails=True).filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]
