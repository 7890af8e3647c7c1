"""Compare what searches find with an exact search."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from search.features.versions import state_of
from search.methods import METHODS
from search.models import SelfCheck
from search.retrieval import recall_check


class Command(BaseCommand):
    help = "Search for a sample of what is stored and compare with an exact search; fails if something is wrong."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--space", choices=METHODS, help="this one only (default: all)")
        parser.add_argument("--sample", type=int, default=200, help="stored pictures to search for (default: 200)")
        parser.add_argument("--floor", type=float, default=0.95, help="lowest recall@10 to accept (default: 0.95)")

    def handle(self, *_: Any, **options: Any) -> None:
        wrong = []
        for space in [options["space"]] if options["space"] else METHODS:
            if reason := state_of(space).problem:
                self.stdout.write(f"{space}: cannot answer. {reason}")
                continue
            checked = recall_check.check(space, options["sample"])
            self.stdout.write(f"{space}: {_described(checked)}")
            wrong += [f"{space}: {fault}." for fault in recall_check.faults(checked, options["floor"])]
        if wrong:
            raise CommandError("\n".join([*wrong, "Build the index again: manage.py rollback_index or build_index."]))


def _described(checked: SelfCheck) -> str:
    latency = f"latency p50 {checked.p50:.2f} ms, p95 {checked.p95:.2f} ms, p99 {checked.p99:.2f} ms"
    keys = f"missing {checked.missing:,}, orphaned {checked.orphaned:,}"
    return f"recall@{recall_check.K} {checked.recall:.3f} of {checked.sampled:,} searches; {latency}; {keys}"
