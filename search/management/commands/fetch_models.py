"""Get the models that spaces need."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand

from search.methods import METHODS


class Command(BaseCommand):
    help = "Get the models that spaces need."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(f"Nothing to fetch: {' and '.join(METHODS)} need no model.")
