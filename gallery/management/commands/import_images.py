"""Import pictures from files, folders, archives, buckets and lists of addresses."""

from __future__ import annotations

import csv
import signal
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any, TextIO

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gallery import imports
from gallery.exceptions import SourceUnavailable
from gallery.imports.importing import Fate, Outcome, import_pictures

MAX_SHOWN = 30  # rejected files in the table; the report has all
PATHS = (
    "a picture; a folder; a .zip; a .tar, .tar.gz or .tgz (key.txt and key.json beside key.jpg give title and tags); "
    "s3://BUCKET/PREFIX; a .txt with one URL a line"
)
SECONDS_PER_LINE = 10.0  # where there is no terminal


@dataclass(slots=True)
class Tally:
    """What became of the files so far, in constant memory; every rejected one goes to the report."""

    report: Path
    counts: Counter[Fate] = field(default_factory=Counter)
    shown: list[Outcome] = field(default_factory=list)
    file: TextIO | None = None

    def note(self, outcome: Outcome) -> None:
        self.counts[outcome.fate] += 1
        if outcome.fate is Fate.REJECTED:
            self.shown += [outcome] if len(self.shown) < MAX_SHOWN else []
            self.write(_printable(outcome.path), outcome.code, outcome.reason)

    def write(self, *row: str) -> None:
        """A line of the report, which is made with its first line."""
        if self.file is None:
            self.report.parent.mkdir(parents=True, exist_ok=True)
            # Names of files need not be valid text.
            self.file = self.report.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            csv.writer(self.file).writerow(["file", "code", "reason"])
        csv.writer(self.file).writerow(row)
        self.file.flush()  # a kill must not lose what was reported


class Rate(ProgressColumn):
    """Files per second of late."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.finished_speed or task.speed or 0:.0f}/s")


class Command(BaseCommand):
    help = "Import pictures. What is there already is skipped: an import that was stopped can be started again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", help=PATHS)
        parser.add_argument("--recursive", action="store_true", help="folders in folders too; links to folders not")
        parser.add_argument("--tags", default="", help="for the new pictures, separated by commas")
        parser.add_argument("--report", type=Path, help="CSV file of what is rejected (default: in the data folder)")

    def handle(self, *_: Any, **options: Any) -> None:
        if missing := [path for path in options["paths"] if not imports.exists(path)]:
            raise CommandError(f"There is no {', '.join(missing)}.")
        tally = Tally(options["report"] or _default_report())
        with _stoppable() as stop:
            try:
                self._import(tally, stop, options["paths"], options["recursive"], options["tags"].split(","))
            except SourceUnavailable as error:
                raise CommandError(f"{error} The same command goes on later.") from error
            except OSError as error:
                raise CommandError(f"Pictures cannot be stored: {error}. The same command goes on later.") from error
            finally:
                self._summarise(tally)
        if stop.is_set():
            self.stdout.write("Stopped. The same command goes on from here.")
            sys.exit(130)  # as shells report Ctrl-C

    def _import(self, tally: Tally, stop: Event, paths: list[str], recursive: bool, tags: list[str]) -> None:
        total = imports.count(paths, recursive=recursive)  # names only, so that it takes seconds for a million
        if total == 0 and not recursive:
            self.stdout.write("There are no files; --recursive looks into folders inside folders.")
        outcomes = import_pictures(paths, recursive=recursive, tags=tags)
        console = Console(stderr=True)  # standard output is for what a script may read
        shown = _bar(outcomes, total, console) if console.is_terminal else self._lines(outcomes, total)
        for outcome in shown:
            tally.note(outcome)
            if stop.is_set():
                return

    def _lines(self, outcomes: Iterable[Outcome], total: int | None) -> Iterator[Outcome]:
        started = printed = monotonic()
        for done, outcome in enumerate(outcomes, start=1):
            yield outcome
            if monotonic() - printed > SECONDS_PER_LINE:
                printed = monotonic()
                rate = done / (printed - started)
                self.stdout.write(f"{done:,}{_left(done, total, rate)}, {rate:.0f}/s")

    def _summarise(self, tally: Tally) -> None:
        if tally.file:
            tally.file.close()
            self.stdout.write(_table(tally.shown))
            hidden = tally.counts[Fate.REJECTED] - len(tally.shown)
            more = f"{hidden:,} more are in the report. " if hidden else ""
            self.stdout.write(f"{more}Report: {tally.report}")
        self.stdout.write(", ".join(f"{tally.counts[fate]:,} {fate.value}" for fate in Fate) + ".")


def _left(done: int, total: int | None, rate: float) -> str:
    return "" if total is None else f" of {total:,}, {max(0, total - done) / rate:.0f} s left"


@contextmanager
def _stoppable() -> Iterator[Event]:
    """Ctrl-C lets the current picture be finished; a second one ends at once."""
    stop = Event()

    def note(*_: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    usual = signal.signal(signal.SIGINT, note)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)


def _bar(outcomes: Iterable[Outcome], total: int | None, console: Console) -> Iterator[Outcome]:
    columns = (BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield from progress.track(outcomes, total=total)


def _printable(path: str) -> str:
    """The path with control characters, which a terminal might obey, and what is no text as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in path)


def _table(rejected: Iterable[Outcome]) -> str:
    table = Table("Rejected file", "Why")
    for outcome in rejected:
        table.add_row(Text(_printable(outcome.path), overflow="fold"), Text(outcome.reason))
    console = Console(file=StringIO())
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _default_report() -> Path:
    return Path(settings.DATA) / "reports" / f"import-{timezone.now():%Y%m%d-%H%M%S}.csv"
