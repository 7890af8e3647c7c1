"""The only writers of decisions: pages, API and admin all call these.

Rows are locked in one order, so that no two wait for each other: pictures, heads of spaces, then the desk.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from search import collection
from search.collection import TRASH_RETENTION, Image, Merged
from search.duplicates.exceptions import Decided, TooLate
from search.duplicates.grouping import regroup
from search.duplicates.models import Decision, Group, Pair, Verdict


@transaction.atomic
def keep(*, group_id: int, image_id: int, user: User | None = None) -> Decision:
    """Keep one picture of a group: the others that are the same as it go into the trash, tags and albums to it.

    Pictures of the group that were never found to be the same as this one stay. Raises Decided.
    """
    images = _members(group_id)
    kept = images.pop(image_id, None)
    if kept is None:
        raise Decided(_("This picture is no longer in the group. Load the page again."))
    going = [images[key] for key in sorted(_partners(image_id) & set(images))]
    if not going:
        raise Decided(_("Nothing in the group is the same as this picture any more. Load the page again."))
    ids = [image.pk for image in going]
    merged = collection.merge_labels(image=kept, others=ids)
    decision = Decision.objects.create(
        kind=Decision.Kind.KEEP,
        kept=kept.pk,
        trashed=ids,
        tags=merged.tags,
        albums=merged.albums,
        decided_by=user,
    )
    collection.trash_images(ids=ids)
    return decision


@transaction.atomic
def set_apart(*, group_id: int, image_id: int | None = None, user: User | None = None) -> Decision:
    """Say that one picture of a group, or each, is no duplicate of the others, by their content. Raises Decided."""
    images = _members(group_id)
    if image_id is not None and image_id not in images:
        raise Decided(_("This picture is no longer in the group. Load the page again."))
    pairs = Pair.objects.filter(first__in=images, second__in=images)
    if image_id is not None:
        pairs = pairs.filter(Q(first=image_id) | Q(second=image_id))
    contents = [(images[one].sha256, images[two].sha256) for one, two in pairs.values_list("first_id", "second_id")]
    decision = Decision.objects.create(
        kind=Decision.Kind.APART, verdicts=_say_apart(contents, user), kept=image_id, decided_by=user
    )
    regroup(images)
    return decision


@transaction.atomic
def say_apart(*, contents: Iterable[tuple[str, str]]) -> None:
    """Remember of pairs of SHA-256 that they are no duplicates, whether the pictures are here or not."""
    pairs = list(contents)
    _say_apart(pairs, None)
    here = {sha256 for pair in pairs for sha256 in pair}
    regroup(Image.objects.filter(sha256__in=here).values_list("pk", flat=True))


@transaction.atomic
def undo(*, decision_id: int) -> Decision:
    """Make it as if it had not been decided. Raises TooLate if that was done, or if the trash was emptied since."""
    claimed = Decision.objects.filter(pk=decision_id, undone_at=None).update(undone_at=timezone.now())
    decision = Decision.objects.filter(pk=decision_id).first()
    if not claimed or decision is None:
        raise TooLate(_("This was undone already."))
    if decision.kind == Decision.Kind.KEEP:
        _bring_back(decision)
    else:
        verdicts = Verdict.objects.filter(pk__in=decision.verdicts)
        contents = {sha256 for pair in verdicts.values_list("one", "two") for sha256 in pair}
        verdicts.delete()
        regroup(Image.objects.filter(sha256__in=contents).values_list("pk", flat=True))
    return decision


def forget_old() -> None:
    """Drop decisions that cannot be undone any more; what was said of contents stays."""
    Decision.objects.filter(created_at__lt=timezone.now() - TRASH_RETENTION).delete()


def _bring_back(decision: Decision) -> None:
    kept = Image.everything.select_for_update().filter(pk=decision.kept or 0).first()
    if not collection.restore_images(ids=decision.trashed):
        raise TooLate(_("These pictures are no longer in the trash."))
    if kept:
        collection.unmerge_labels(image=kept, merged=Merged(decision.tags, decision.albums))


def _members(group_id: int) -> dict[int, Image]:
    """The pictures of a group, locked. Raises Decided."""
    wanted = Group.objects.filter(pk=group_id).values_list("members__image", flat=True)
    ids = [key for key in wanted if key is not None]
    images = Image.objects.select_for_update().filter(pk__in=ids)
    found = {image.pk: image for image in images}
    if len(found) < 2:
        raise Decided(_("This group is no longer there; somebody has decided on it. Load the page again."))
    return found


def _partners(image_id: int) -> set[int]:
    pairs = Pair.objects.filter(Q(first=image_id) | Q(second=image_id)).values_list("first_id", "second_id")
    return {key for pair in pairs for key in pair} - {image_id}


def _say_apart(contents: Iterable[tuple[str, str]], user: User | None) -> list[int]:
    """Remember it of these pairs of SHA-256; returns the ids of what was not said before."""
    ids = []
    for pair in contents:
        one, two = sorted(pair)
        verdict, new = Verdict.objects.get_or_create(one=one, two=two, defaults={"said_by": user})
        ids += [verdict.pk] if new else []
    return ids
