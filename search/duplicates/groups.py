"""Pairs -> groups that do not chain: in each, every picture is the same as the one in its middle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

Neighbours = dict[int, dict[int, float]]


@dataclass(frozen=True, slots=True)
class Star:
    """A medoid and the pictures that are the same as it, ascending; these need not be the same as each other."""

    medoid: int
    others: tuple[int, ...]

    @property
    def keys(self) -> tuple[int, ...]:
        return (self.medoid, *self.others)


def neighbours_of(pairs: Mapping[tuple[int, int], float]) -> Neighbours:
    """(first, second) -> how far apart, as a table of each picture's partners."""
    table: Neighbours = {}
    for (first, second), apart in pairs.items():
        table.setdefault(first, {})[second] = apart
        table.setdefault(second, {})[first] = apart
    return table


def stars(pairs: Mapping[tuple[int, int], float]) -> list[Star]:
    """Each picture of a pair in at most one group: again and again the one with the most partners left and these.

    Of several with as many, the one that is nearest to them, then the oldest. A picture whose partners all went
    to other groups stays alone.
    """
    table = neighbours_of(pairs)
    left = set(table)
    queue = [(*_rank(key, table, left), key) for key in table]
    heapify(queue)
    found: list[Star] = []
    while queue:
        *rank, key = heappop(queue)
        if key not in left:
            continue
        now = _rank(key, table, left)
        if tuple(rank) != now:
            heappush(queue, (*now, key))
        elif now[0]:
            others = tuple(sorted(other for other in table[key] if other in left))
            found.append(Star(key, others))
            left -= {key, *others}
    return found


def hubs(keys: tuple[int, ...], table: Neighbours) -> list[int]:
    """Those of the keys that are the same as each other one: if one of them is kept, nothing is lost."""
    return [key for key in keys if all(other == key or other in table.get(key, {}) for other in keys)]


def _rank(key: int, table: Neighbours, left: set[int]) -> tuple[int, float]:
    near = [apart for other, apart in table[key].items() if other in left]
    return -len(near), sum(near)
