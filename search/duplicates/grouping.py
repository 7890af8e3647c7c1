"""Pairs as they are stored -> groups as the desk shows them; written anew where something has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import transaction
from django.db.models import Count, Q

from search.collection import Image
from search.duplicates.groups import Neighbours, Star, hubs, neighbours_of, stars
from search.duplicates.keepers import Candidate, suggest
from search.duplicates.models import RELATIONS, Cursor, Group, Member, Pair, Verdict
from search.duplicates.pairs import Relation

Item = TypeVar("Item", int, str)

SPACE = "phash"
AT_ONCE = 500  # ids in one query
RANK = {relation: place for place, (relation, _) in enumerate(RELATIONS)}


@dataclass(slots=True)
class Graph:
    """Pictures that hang together by pairs that nobody has said are no duplicates."""

    images: dict[int, Image] = field(default_factory=dict)
    pairs: dict[tuple[int, int], Pair] = field(default_factory=dict)

    def between(self, one: int, two: int) -> Pair | None:
        return self.pairs.get((min(one, two), max(one, two)))


def lock_desk() -> Cursor:
    """Nobody else writes groups until the transaction ends."""
    Cursor.objects.bulk_create([Cursor(space=SPACE)], ignore_conflicts=True)
    return Cursor.objects.select_for_update().get(pk=SPACE)


@transaction.atomic
def regroup(ids: Iterable[int], without: Collection[int] = ()) -> None:
    """Write the groups around these pictures anew, without some that are on their way out."""
    touched = set(ids)
    lock_desk()
    old = _groups_of(touched)
    seeds = touched | set(Member.objects.filter(group__in=old).values_list("image", flat=True))
    graph = _around(seeds, frozenset(without))
    old |= _groups_of(graph.images)
    found = stars({keys: RANK[pair.relation] * 256 + pair.difference for keys, pair in graph.pairs.items()})
    found.sort(key=lambda star: star.medoid)
    medoids = {star.medoid for star in found}
    for some in _some(old):
        Member.objects.filter(group__in=some).delete()
        empty = Group.objects.filter(pk__in=some).values_list("pk", "medoid")
        Group.objects.filter(pk__in=[pk for pk, medoid in empty if medoid not in medoids]).delete()
    _write(found, graph)


def _groups_of(ids: Collection[int]) -> set[int]:
    groups = (Member.objects.filter(image__in=some).values_list("group", flat=True) for some in _some(ids))
    return {pk for some in groups for pk in some}


def _write(found: Sequence[Star], graph: Graph) -> None:
    """Store groups; one with the same medoid as before keeps its id, so that a page being read stays right."""
    table = neighbours_of(dict.fromkeys(graph.pairs, 0.0))
    said = _said([key for star in found for key in star.keys])
    groups = [_group(star, graph, table, said) for star in found]
    Group.objects.bulk_create(
        groups,
        update_conflicts=True,
        unique_fields=["medoid"],
        update_fields=["keeper", "reasons", "relation", "size", "changed_at"],
    )
    ids = dict(Group.objects.filter(medoid__in=[star.medoid for star in found]).values_list("medoid", "pk"))
    Member.objects.bulk_create(
        [Member(group_id=ids[star.medoid], image_id=key) for star in found for key in star.keys], batch_size=AT_ONCE
    )


def _group(star: Star, graph: Graph, table: Neighbours, said: dict[int, int]) -> Group:
    candidates = [_candidate(graph.images[key], said.get(key, 0), graph, table) for key in star.keys]
    inside = [pair.relation for key in star.others if (pair := graph.between(star.medoid, key))]
    changed = any(relation in (Relation.TURNED, Relation.EDITED) for relation in inside)
    keeper, reasons = suggest(candidates, hubs(star.keys, table), changed=changed)
    relations = [pair.relation for key in star.keys if (pair := graph.between(keeper, key))]
    return Group(
        medoid_id=star.medoid,
        keeper_id=keeper,
        reasons=reasons,
        relation=max(relations, key=RANK.__getitem__),
        size=len(star.keys),
    )


def _candidate(image: Image, said: int, graph: Graph, table: Neighbours) -> Candidate:
    return Candidate(
        key=image.pk,
        width=image.width,
        height=image.height,
        bytes=image.bytes,
        format=image.format,
        created_at=image.created_at,
        taken=image.taken_at is not None,
        said=said,
        whole=min((_whole(graph, image.pk, other) for other in table[image.pk]), default=1.0),
    )


def _whole(graph: Graph, key: int, other: int) -> float:
    """Of what another picture shows, the share that this one shows."""
    pair = graph.between(key, other)
    if pair is None:
        return 1.0
    return pair.second_share if key == pair.first_id else pair.first_share


def _said(keys: Sequence[int]) -> dict[int, int]:
    counted: dict[int, int] = {}
    for some in _some(keys):
        for name in ("tags", "albums"):
            for key, number in Image.objects.filter(pk__in=some).values_list("pk").annotate(Count(name)):
                counted[key] = counted.get(key, 0) + number
    return counted


def _around(seeds: Iterable[int], without: frozenset[int]) -> Graph:
    """All that hangs together with some pictures."""
    graph, seen, frontier = Graph(), set(seeds), set(seeds)
    while frontier:
        pairs = [
            pair for some in _some(frontier) for pair in Pair.objects.filter(Q(first__in=some) | Q(second__in=some))
        ]
        ends = {key for pair in pairs for key in (pair.first_id, pair.second_id)} - without - graph.images.keys()
        for some in _some(ends):
            graph.images |= Image.objects.in_bulk(some)
        usable = [pair for pair in pairs if pair.first_id in graph.images and pair.second_id in graph.images]
        graph.pairs |= {(pair.first_id, pair.second_id): pair for pair in _not_apart(usable, graph)}
        reached = {key for pair in usable if (pair.first_id, pair.second_id) in graph.pairs for key in _ends(pair)}
        frontier = reached - seen
        seen |= reached
    return graph


def _ends(pair: Pair) -> tuple[int, int]:
    return pair.first_id, pair.second_id


def _not_apart(pairs: Sequence[Pair], graph: Graph) -> list[Pair]:
    """Those of the pairs that nobody has said are no duplicates."""
    contents = {
        pair: tuple(sorted((graph.images[pair.first_id].sha256, graph.images[pair.second_id].sha256))) for pair in pairs
    }
    said: set[tuple[str, str]] = set()
    for some in _some({one for one, _ in contents.values()}):
        said |= set(Verdict.objects.filter(one__in=some).values_list("one", "two"))
    return [pair for pair in pairs if contents[pair] not in said]


def _some(items: Collection[Item]) -> Iterable[list[Item]]:
    every = list(items)
    return (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE))
