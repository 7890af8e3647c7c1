"""The tables of benchmarks/indexes.py as Markdown, and their plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from benchmarks.index_race import Line, Race

RESULTS = Path(__file__).parent / "results"
HEAD = ("question", "rows", "contestant", "ms", "times the first", "recall", "queries", "target", "met")


@dataclass(frozen=True)
class Fact:
    """A single number, and what it should be."""

    name: str
    value: float
    target: float | None = None
    at_most: bool = False

    @property
    def met(self) -> str:
        if self.target is None:
            return ""
        return "yes" if (self.value <= self.target if self.at_most else self.value >= self.target) else "no"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def wanted(target: float | None, at_most: bool) -> str:
    if target is None:
        return ""
    return (
        f"{'<=' if at_most else '>='} {target:,.0f}" if target >= 100 else f"{'<=' if at_most else '>='} {target:.3g}"
    )


def of_races(races: Sequence[Race]) -> str:
    rows = []
    for race in races:
        for line in race.lines:
            rows.append(
                (
                    race.title,
                    f"{race.count:,}",
                    line.name,
                    f"{line.ms:.4f}" if line.ms < 1 else f"{line.ms:,.2f}",
                    f"{line.ratio:,.2f}" if line.ratio < 10 else f"{line.ratio:,.0f}",
                    f"{line.recall:.3f}",
                    str(line.queries),
                    wanted(line.target, line.at_most),
                    line.met,
                )
            )
    return table(HEAD, rows)


def of_facts(facts: Sequence[Fact]) -> str:
    rows = [
        (
            fact.name,
            f"{fact.value:,.0f}" if fact.value >= 1000 else f"{fact.value:.2f}",
            wanted(fact.target, fact.at_most),
            fact.met,
        )
        for fact in facts
    ]
    return table(("what", "value", "target", "met"), rows)


def write(
    races: Sequence[Race],
    graphs: Sequence[Race],
    growing: Sequence[Race],
    choosing: Sequence[Race],
    facts: Sequence[Fact],
    machine: str,
) -> None:
    """Print the tables and write benchmarks/results/indexes.md and indexes.png."""
    text = "\n".join(
        (
            "# Indexes against their peers\n",
            f"Made by `make bench-indexes`; {machine}. One thread; medians in ms a query. Contestants take turns, and",
            "“times the first” is the median over the turns of a line's time by that of the first line of its group.",
            "Random hashes with three planted near copies of each query; recall against a scan.\n",
            "## Search\n",
            of_races(races),
            "## Overhead of the HNSW index over its graph\n",
            of_races(graphs),
            "## How multi-index hashing grows\n",
            of_races(growing),
            "## Which index for 256-bit picture hashes\n",
            of_races(choosing),
            "## Building and changing\n",
            of_facts(facts),
            "![Times of the peers, and growth](indexes.png)\n",
        )
    )
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "indexes.md").write_text(text)
    plot(races, growing)


def plot(races: Sequence[Race], growing: Sequence[Race]) -> None:
    figure, axes = pyplot.subplots(3, 3, figsize=(16, 11), layout="constrained")
    for axis, race in zip(axes.flat, races, strict=False):
        bars(axis, race)
    growth_lines(axes[2, 2], growing)
    figure.savefig(RESULTS / "indexes.png", dpi=90)


def bars(axis: Axes, race: Race) -> None:
    lines: Sequence[Line] = race.lines[::-1]
    colours = ["tab:green" if "ours" in line.name else "tab:gray" for line in lines]
    axis.barh([line.name for line in lines], [line.ms for line in lines], color=colours)
    axis.set_xscale("log")
    # Bars of a logarithmic axis start somewhere: everywhere at a microsecond.
    axis.set_xlim(left=0.001)
    axis.set_title(f"{race.title}, {race.count:,} rows", fontsize=10)
    axis.set_xlabel("ms a query (log)")


def growth_lines(axis: Axes, growing: Sequence[Race]) -> None:
    for title in dict.fromkeys(race.title for race in growing):
        same = [race for race in growing if race.title == title]
        for place, line in enumerate(same[0].lines):
            times = [race.lines[place].ms for race in same]
            axis.loglog([race.count for race in same], times, marker="o", label=f"{line.name}, {title}")
    axis.set_title("growth with the collection", fontsize=10)
    axis.set_xlabel("rows")
    axis.set_ylabel("ms a query")
    axis.legend(fontsize=7)
