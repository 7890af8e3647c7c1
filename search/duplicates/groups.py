"""Pairs of duplicates -> groups that do not chain: every picture of a group is a duplicate of the group's medoid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

Adjacency = dict[int, dict[int, float]]  # key -> its duplicates -> how different they are


@dataclass(frozen=True, slots=True)
class Members:
    """The keys of a group: its medoid, and the duplicates of that, ascending, which need not be each other's."""

    medoid: int
    others: tuple[int, ...]

    @property
    def keys(self) -> tuple[int, ...]:
        return (self.medoid, *self.others)


def adjacency(pairs: Mapping[tuple[int, int], float]) -> Adjacency:
    """(first, second) -> difference, as a table of each key's duplicates."""
    table: Adjacency = {}
    for (first, second), difference in pairs.items():
        table.setdefault(first, {})[second] = difference
        table.setdefault(second, {})[first] = difference
    return table


def group_pairs(pairs: Mapping[tuple[int, int], float]) -> list[Members]:
    """Greedy groups: again and again the key with the most ungrouped duplicates becomes a medoid, with all of these.

    Of several with as many, the one that differs least from them, then the oldest. A key whose duplicates all went to
    other groups is in none.
    """
    table = adjacency(pairs)
    ungrouped = set(table)
    queue = [(*_rank(key, table, ungrouped), key) for key in table]
    heapify(queue)
    groups: list[Members] = []
    while queue:
        *queued_rank, key = heappop(queue)
        if key not in ungrouped:
            continue
        rank = _rank(key, table, ungrouped)
        if tuple(queued_rank) != rank:  # some of its duplicates have been grouped since
            heappush(queue, (*rank, key))
        elif rank[0]:
            others = tuple(sorted(other for other in table[key] if other in ungrouped))
            groups.append(Members(key, others))
            ungrouped -= {key, *others}
    return groups


def duplicates_of_all(keys: Sequence[int], table: Adjacency) -> list[int]:
    """Those of the keys that are duplicates of each other one: if one of them is kept, nothing is lost."""
    return [key for key in keys if all(other == key or other in table.get(key, {}) for other in keys)]


def _rank(key: int, table: Adjacency, ungrouped: set[int]) -> tuple[int, float]:
    """Minus the number of ungrouped duplicates, and how different these are in sum; the least comes first."""
    differences = [difference for other, difference in table[key].items() if other in ungrouped]
    return -len(differences), sum(differences)
