"""What the desk shows, read in a few queries however many groups there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.contrib.auth.models import User
from django.core.paginator import InvalidPage
from django.db.models import Count
from django.utils import timezone
from django.utils.functional import Promise

from search.collection import TRASH_RETENTION, Image
from search.duplicates import finding, pairs
from search.duplicates.models import RELATIONS, Cursor, Decision, Group, Member, Pair
from search.duplicates.wording import describe, reason

PAGE_SIZE = 20
MOST_SHOWN = 24  # pictures of a group; what is decided holds for all

Pairs = Mapping[tuple[int, int], Pair]


@dataclass(frozen=True, slots=True)
class Card:
    """A picture of a group. ``same``: ids of those that would go into the trash if this one is kept."""

    image: Image
    suggested: bool
    relation: str
    same: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A group, the suggested picture first."""

    group: Group
    cards: list[Card]

    @property
    def reasons(self) -> list[str]:
        """Why the first picture is suggested, in words."""
        return [reason(code, self.cards[0].image) for code in self.group.reasons]

    @property
    def hidden(self) -> int:
        return self.group.size - len(self.cards)

    @property
    def trashed(self) -> int:
        """How many pictures would go if the suggestion is taken."""
        return self.group.size - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Groups, newest first, and the ``page`` parameter of what follows ("" at the end)."""

    groups: list[Shown]
    next: str


@dataclass(frozen=True, slots=True)
class Status:
    """How far looking for duplicates is; ``waiting``: pictures that were not looked at yet."""

    waiting: int
    looked_at: datetime | None
    problem: str


def status() -> Status:
    cursor = Cursor.objects.filter(pk=finding.SPACE).first() or Cursor()
    return Status(finding.waiting(), cursor.looked_at, cursor.problem)


def counts() -> list[tuple[str, str | Promise, int]]:
    """Relation, its label and how many groups have it, of those that have any."""
    found = dict(Group.objects.values_list("relation").annotate(Count("pk")).order_by())
    return [(relation, label, found[relation]) for relation, label in RELATIONS if relation in found]


def page_of(relation: str = "", page: str = "", size: int = PAGE_SIZE) -> Page:
    """Groups of a relation, or all. ``page``: "" or what the page before gave as ``next``. Raises InvalidPage."""
    groups = Group.objects.filter(relation=relation) if relation else Group.objects.all()
    if page.startswith("before-") and page[7:].isdecimal():
        groups = groups.filter(pk__lt=min(int(page[7:]), 2**62))
    elif page:
        raise InvalidPage("There is no such page. Start from the first, and follow “next”.")
    rows = list(groups[: size + 1])
    return Page(shown(rows[:size]), f"before-{rows[size - 1].pk}" if len(rows) > size else "")


def shown(groups: Sequence[Group]) -> list[Shown]:
    """These groups, with their pictures."""
    members: dict[int, list[int]] = {group.pk: [] for group in groups}
    rows = Member.objects.filter(group__in=groups).order_by("image").values_list("group", "image")
    for group_id, image_id in rows:
        members[group_id].append(image_id)
    chosen = {group.pk: _first(group.keeper_id, members[group.pk]) for group in groups}
    ids = [key for keys in chosen.values() for key in keys]
    images = Image.objects.prefetch_related("tags", "albums").in_bulk(ids)
    related = between(ids)
    found = [Shown(group, _cards(group, chosen[group.pk], images, related)) for group in groups]
    return [one for one in found if len(one.cards) > 1]  # a picture may have gone since the groups were read


def between(ids: Iterable[int]) -> Pairs:
    """The pairs among some pictures."""
    keys = list(ids)
    return {(pair.first_id, pair.second_id): pair for pair in Pair.objects.filter(first__in=keys, second__in=keys)}


def relation_of(kept: Image, other: Image, related: Pairs) -> str:
    """What the other picture is, compared with the one that is kept; "" if they are not known to be the same."""
    swapped = kept.pk > other.pk
    row = related.get((other.pk, kept.pk) if swapped else (kept.pk, other.pk))
    return describe(as_pair(row), kept, other, swapped=swapped) if row else ""


def as_pair(row: Pair) -> pairs.Pair:
    shares = (row.first_share, row.second_share)
    return pairs.Pair(pairs.Relation(row.relation), row.turn, np.array(row.matrix), row.difference, shares)


def last_decision(user: User) -> Decision | None:
    """What this person decided last and can still undo."""
    since = timezone.now() - TRASH_RETENTION
    return Decision.objects.filter(decided_by=user, undone_at=None, created_at__gt=since).first()


def _first(keeper: int, keys: Sequence[int]) -> list[int]:
    return [keeper, *(key for key in keys if key != keeper)][:MOST_SHOWN]


def _cards(group: Group, keys: Sequence[int], images: Mapping[int, Image], related: Pairs) -> list[Card]:
    here = [images[key] for key in keys if key in images]
    keeper = images.get(group.keeper_id)
    return [
        Card(
            image=image,
            suggested=image.pk == group.keeper_id,
            relation=relation_of(keeper, image, related) if keeper and image.pk != keeper.pk else "",
            same=tuple(other.pk for other in here if (min(other.pk, image.pk), max(other.pk, image.pk)) in related),
        )
        for image in here
    ]
