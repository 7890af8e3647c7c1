"""Load the sample gallery."""

from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand

from gallery import samples


class Command(BaseCommand):
    help = "Add the sample photographs and their edited copies; those that are there already stay as they are."

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(f"{samples.load()} sample pictures were added.")
