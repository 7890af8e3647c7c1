"""The progress of commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Step = TypeVar("Step")


def bar(steps: Iterable[Step], total: int, label: str) -> Iterator[Step]:
    """A bar with rate and time left on a terminal; nothing is drawn elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as shown:
        yield from shown.track(steps, total=total, description=label)
