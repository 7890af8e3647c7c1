"""What people see who review groups of duplicates, read in a few queries however many groups there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.contrib.auth.models import User
from django.core.paginator import InvalidPage
from django.db.models import Count
from django.utils import timezone
from django.utils.functional import Promise

from search.collection import TRASH_RETENTION, Image
from search.duplicates import detection
from search.duplicates.models import RELATIONS, Cursor, Decision, Group, Member, Pair
from search.duplicates.relations import TRANSFORMS, Comparison, Relation
from search.duplicates.spaces import COPIES
from search.duplicates.wording import describe, reason

PAGE_SIZE = 20
MOST_SHOWN = 24  # pictures of a group; a decision holds for all of them

Pairs = Mapping[tuple[int, int], Pair]


@dataclass(frozen=True, slots=True)
class Card:
    """A picture of a group. ``same``: ids of those that would go into the trash if this one is kept."""

    image: Image
    suggested: bool
    relation: str
    same: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group and its pictures, the representative first."""

    group: Group
    cards: list[Card]

    @property
    def reasons(self) -> list[str]:
        """Why the representative is suggested, in words of the active language."""
        return [reason(code, self.cards[0].image) for code in self.group.reasons]

    @property
    def hidden(self) -> int:
        """How many pictures of the group have no card."""
        return self.group.size - len(self.cards)

    @property
    def trashed(self) -> int:
        """How many pictures would go if the suggestion is taken."""
        return self.group.size - 1


@dataclass(frozen=True, slots=True)
class Page:
    """Groups, newest first, and the ``page`` parameter of what follows ("" at the end)."""

    groups: list[GroupView]
    next: str


@dataclass(frozen=True, slots=True)
class Status:
    """How far the detection is; ``waiting``: pictures that were not compared yet."""

    waiting: int
    looked_at: datetime | None
    problem: str

    @property
    def just_now(self) -> bool:
        """Whether the last check is less than a minute ago."""
        return self.looked_at is not None and timezone.now() - self.looked_at < timedelta(minutes=1)


def status() -> Status:
    """How many pictures wait to be compared, when pictures were last compared, and what went wrong then."""
    cursor = Cursor.objects.filter(pk=COPIES).first() or Cursor()
    return Status(detection.waiting(), cursor.looked_at, cursor.problem)


def counts() -> list[tuple[str, str | Promise, int]]:
    """Relation, its label and how many groups have it, of those that have any."""
    count = dict(Group.objects.values_list("relation").annotate(Count("pk")).order_by())
    return [(relation, label, count[relation]) for relation, label in RELATIONS if relation in count]


def page_of(relation: str = "", page: str = "", size: int = PAGE_SIZE) -> Page:
    """Groups of a relation, or all. ``page``: "" or what the page before gave as ``next``. Raises InvalidPage."""
    groups = Group.objects.filter(relation=relation) if relation else Group.objects.all()
    if page.startswith("before-") and page[7:].isdecimal():
        groups = groups.filter(pk__lt=min(int(page[7:]), 2**62))
    elif page:
        raise InvalidPage("There is no such page. Start from the first, and follow “next”.")
    rows = list(groups[: size + 1])
    return Page(views_of(rows[:size]), f"before-{rows[size - 1].pk}" if len(rows) > size else "")


def views_of(groups: Sequence[Group]) -> list[GroupView]:
    """These groups with their pictures, less those that have fewer than two by now."""
    members: dict[int, list[int]] = {group.pk: [] for group in groups}
    rows = Member.objects.filter(group__in=groups).order_by("image").values_list("group", "image")
    for group_id, image_id in rows:
        members[group_id].append(image_id)
    shown = {group.pk: _with_first(group.keeper_id, members[group.pk]) for group in groups}
    ids = [key for keys in shown.values() for key in keys]
    images = Image.objects.prefetch_related("tags", "albums").in_bulk(ids)
    related = pairs_among(ids)
    views = [GroupView(group, _cards(group, shown[group.pk], images, related)) for group in groups]
    return [view for view in views if len(view.cards) > 1]  # a picture may have gone since the groups were read


def pairs_among(ids: Iterable[int]) -> Pairs:
    """The stored pairs among some pictures."""
    keys = list(ids)
    return {(pair.first_id, pair.second_id): pair for pair in Pair.objects.filter(first__in=keys, second__in=keys)}


def relation_of(kept: Image, other: Image, related: Pairs) -> str:
    """What the other picture is, compared with the one that is kept; "" if they are no pair."""
    swapped = kept.pk > other.pk
    row = related.get((other.pk, kept.pk) if swapped else (kept.pk, other.pk))
    return describe(comparison_of(row), kept, other, swapped=swapped) if row else ""


def comparison_of(row: Pair) -> Comparison:
    """The comparison that a row stores."""
    shares = (row.first_share, row.second_share)
    return Comparison(Relation(row.relation), TRANSFORMS[row.turn], np.array(row.matrix), row.difference, shares)


def last_decision(user: User) -> Decision | None:
    """What this person decided last and can still undo."""
    since = timezone.now() - TRASH_RETENTION
    return Decision.objects.filter(decided_by=user, undone_at=None, created_at__gt=since).first()


def _with_first(representative: int, keys: Sequence[int]) -> list[int]:
    return [representative, *(key for key in keys if key != representative)][:MOST_SHOWN]


def _cards(group: Group, keys: Sequence[int], images: Mapping[int, Image], related: Pairs) -> list[Card]:
    shown = [images[key] for key in keys if key in images]
    representative = images.get(group.keeper_id)
    return [
        Card(
            image=image,
            suggested=image.pk == group.keeper_id,
            relation=relation_of(representative, image, related) if representative not in (None, image) else "",
            same=tuple(other.pk for other in shown if (min(other.pk, image.pk), max(other.pk, image.pk)) in related),
        )
        for image in shown
    ]
