"""Progress as an iterator passed in: a command draws a bar, a job updates its row, a test passes none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

Step = TypeVar("Step")


class Progress(Protocol):
    """Wraps the steps of long work; ``total`` is their number."""

    def __call__(self, steps: Iterable[Step], total: int, label: str) -> Iterable[Step]: ...


def silent(steps: Iterable[Step], total: int, label: str) -> Iterable[Step]:
    """No progress shown."""
    return steps


def bar(steps: Iterable[Step], total: int, label: str) -> Iterator[Step]:
    """A bar with rate and time left on a terminal; plain lines are left out elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as shown:
        yield from shown.track(steps, total=total, description=label)
