"""Stored pairs -> stored groups; only groups around pictures that changed are written anew."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import transaction
from django.db.models import Count, Q

from search.collection import Image
from search.duplicates.groups import Adjacency, Members, adjacency, duplicates_of_all, group_pairs
from search.duplicates.models import RELATIONS, Cursor, Group, Member, Pair, Verdict
from search.duplicates.relations import Relation
from search.duplicates.representatives import Candidate, choose
from search.duplicates.spaces import COPIES

Item = TypeVar("Item", int, str)

AT_ONCE = 500  # ids in one query
LEVELS = 256  # more than any difference of two pictures
RANK = {relation: rank for rank, (relation, _) in enumerate(RELATIONS)}  # the closest relation first


@dataclass(slots=True)
class Graph:
    """Pictures that are connected by pairs of duplicates; pairs that people have set apart do not count."""

    images: dict[int, Image] = field(default_factory=dict)
    pairs: dict[tuple[int, int], Pair] = field(default_factory=dict)

    def between(self, key: int, other: int) -> Pair | None:
        return self.pairs.get((min(key, other), max(key, other)))

    def coverage(self, key: int, other: int) -> float:
        """Of what another picture shows, the share that this one shows."""
        pair = self.between(key, other)
        if pair is None:
            return 1.0
        return pair.second_share if key == pair.first_id else pair.first_share


def lock_groups() -> Cursor:
    """Nobody else writes groups until the transaction ends."""
    Cursor.objects.bulk_create([Cursor(space=COPIES)], ignore_conflicts=True)
    return Cursor.objects.select_for_update().get(pk=COPIES)


@transaction.atomic
def regroup(ids: Iterable[int], without: Collection[int] = ()) -> None:
    """Write the groups around these pictures anew; ``without`` are about to be deleted, or to go into the trash."""
    changed = set(ids)
    lock_groups()
    old = _groups_of(changed)
    start = changed | set(Member.objects.filter(group__in=old).values_list("image", flat=True))
    graph = _connected_to(start, frozenset(without))
    old |= _groups_of(graph.images)
    # The relation decides, the difference only between pairs of one relation.
    weights = {keys: RANK[pair.relation] * LEVELS + pair.difference for keys, pair in graph.pairs.items()}
    new = sorted(group_pairs(weights), key=lambda members: members.medoid)
    _delete(old, except_of={members.medoid for members in new})
    _write(new, graph)


def _groups_of(ids: Collection[int]) -> set[int]:
    groups = (Member.objects.filter(image__in=chunk).values_list("group", flat=True) for chunk in _chunks(ids))
    return {pk for chunk in groups for pk in chunk}


def _delete(groups: Collection[int], except_of: set[int]) -> None:
    """Delete the members of these groups, and the groups but for those of some medoids."""
    for chunk in _chunks(groups):
        Member.objects.filter(group__in=chunk).delete()
        medoids = Group.objects.filter(pk__in=chunk).values_list("pk", "medoid")
        Group.objects.filter(pk__in=[pk for pk, medoid in medoids if medoid not in except_of]).delete()


def _write(groups: Sequence[Members], graph: Graph) -> None:
    """Store groups; one with the same medoid as before keeps its id, so that a page that somebody reads stays right."""
    table = adjacency(dict.fromkeys(graph.pairs, 0.0))
    labels = _count_labels([key for members in groups for key in members.keys])
    Group.objects.bulk_create(
        [_group(members, graph, table, labels) for members in groups],
        update_conflicts=True,
        unique_fields=["medoid"],
        update_fields=["keeper", "reasons", "relation", "size", "changed_at"],
    )
    ids = dict(Group.objects.filter(medoid__in=[members.medoid for members in groups]).values_list("medoid", "pk"))
    rows = [Member(group_id=ids[members.medoid], image_id=key) for members in groups for key in members.keys]
    Member.objects.bulk_create(rows, batch_size=AT_ONCE)


def _group(members: Members, graph: Graph, table: Adjacency, labels: dict[int, int]) -> Group:
    candidates = [_candidate(graph.images[key], labels.get(key, 0), graph, table) for key in members.keys]
    to_medoid = [pair.relation for key in members.others if (pair := graph.between(members.medoid, key))]
    edited = any(relation in (Relation.MIRRORED_OR_ROTATED, Relation.EDITED) for relation in to_medoid)
    representative, reasons = choose(candidates, duplicates_of_all(members.keys, table), edited=edited)
    relations = [pair.relation for key in members.keys if (pair := graph.between(representative, key))]
    return Group(
        medoid_id=members.medoid,
        keeper_id=representative,
        reasons=reasons,
        relation=max(relations, key=RANK.__getitem__),
        size=len(members.keys),
    )


def _candidate(image: Image, labels: int, graph: Graph, table: Adjacency) -> Candidate:
    return Candidate(
        key=image.pk,
        width=image.width,
        height=image.height,
        bytes=image.bytes,
        format=image.format,
        created_at=image.created_at,
        taken=image.taken_at is not None,
        labels=labels,
        coverage=min((graph.coverage(image.pk, other) for other in table[image.pk]), default=1.0),
    )


def _count_labels(keys: Sequence[int]) -> dict[int, int]:
    """Number of tags and albums of each picture; none for those without."""
    counts: dict[int, int] = {}
    for chunk in _chunks(keys):
        for name in ("tags", "albums"):
            for key, number in Image.objects.filter(pk__in=chunk).values_list("pk").annotate(Count(name)):
                counts[key] = counts.get(key, 0) + number
    return counts


def _connected_to(ids: Iterable[int], without: frozenset[int]) -> Graph:
    """Everything that is connected to these pictures, by breadth-first search."""
    graph, visited, frontier = Graph(), set(ids), set(ids)
    while frontier:
        pairs = _pairs_of(frontier)
        ends = {key for pair in pairs for key in _ends(pair)} - without - graph.images.keys()
        for chunk in _chunks(ends):
            graph.images |= Image.objects.in_bulk(chunk)
        pairs = [pair for pair in pairs if pair.first_id in graph.images and pair.second_id in graph.images]
        pairs = _not_set_apart(pairs, graph)
        graph.pairs |= {_ends(pair): pair for pair in pairs}
        frontier = {key for pair in pairs for key in _ends(pair)} - visited
        visited |= frontier
    return graph


def _pairs_of(ids: Collection[int]) -> list[Pair]:
    queries = (Pair.objects.filter(Q(first__in=chunk) | Q(second__in=chunk)) for chunk in _chunks(ids))
    return [pair for query in queries for pair in query]


def _ends(pair: Pair) -> tuple[int, int]:
    return pair.first_id, pair.second_id


def _not_set_apart(pairs: Sequence[Pair], graph: Graph) -> list[Pair]:
    """Those of the pairs of which nobody has said that they are no duplicates."""
    contents = {
        pair: tuple(sorted((graph.images[pair.first_id].sha256, graph.images[pair.second_id].sha256))) for pair in pairs
    }
    apart: set[tuple[str, str]] = set()
    for chunk in _chunks({first for first, _ in contents.values()}):
        apart |= set(Verdict.objects.filter(one__in=chunk).values_list("one", "two"))
    return [pair for pair in pairs if contents[pair] not in apart]


def _chunks(items: Collection[Item]) -> Iterable[list[Item]]:
    everything = list(items)
    return (everything[start : start + AT_ONCE] for start in range(0, len(everything), AT_ONCE))
