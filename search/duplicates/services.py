"""The only writers of decisions: pages, API and admin all call these.

Rows are locked in one order, so that no two wait for each other: pictures, heads of spaces, then groups.
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
    """Keep one picture of a group: its duplicates go into the trash, and it gets their tags and albums.

    Pictures of the group that are no duplicates of this one stay. Raises Decided.
    """
    images = _members(group_id)
    kept = images.pop(image_id, None)
    if kept is None:
        raise Decided(_("This picture is no longer in the group. Reload the page."))
    duplicates = [images[key] for key in sorted(_duplicates_of(image_id) & set(images))]
    if not duplicates:
        raise Decided(_("No other picture in the group matches this one any more. Reload the page."))
    ids = [image.pk for image in duplicates]
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
    """Decide that one picture of a group, or each, is no duplicate of the others: of their contents. Raises Decided."""
    images = _members(group_id)
    if image_id is not None and image_id not in images:
        raise Decided(_("This picture is no longer in the group. Reload the page."))
    pairs = Pair.objects.filter(first__in=images, second__in=images)
    if image_id is not None:
        pairs = pairs.filter(Q(first=image_id) | Q(second=image_id))
    contents = [(images[one].sha256, images[two].sha256) for one, two in pairs.values_list("first_id", "second_id")]
    decision = Decision.objects.create(
        kind=Decision.Kind.APART, verdicts=_write_verdicts(contents, user), kept=image_id, decided_by=user
    )
    regroup(images)
    return decision


@transaction.atomic
def set_contents_apart(*, contents: Iterable[tuple[str, str]]) -> None:
    """Remember that pairs of SHA-256 are no duplicates, whether their pictures are stored or not."""
    pairs = list(contents)
    _write_verdicts(pairs, None)
    hashes = {sha256 for pair in pairs for sha256 in pair}
    regroup(Image.objects.filter(sha256__in=hashes).values_list("pk", flat=True))


@transaction.atomic
def undo(*, decision_id: int) -> Decision:
    """Take a decision back. Raises TooLate if that was done already, or if the trash was emptied since."""
    claimed = Decision.objects.filter(pk=decision_id, undone_at=None).update(undone_at=timezone.now())
    decision = Decision.objects.filter(pk=decision_id).first()
    if not claimed or decision is None:
        raise TooLate(_("This has already been undone."))
    if decision.kind == Decision.Kind.KEEP:
        _restore(decision)
    else:
        verdicts = Verdict.objects.filter(pk__in=decision.verdicts)
        contents = {sha256 for pair in verdicts.values_list("one", "two") for sha256 in pair}
        verdicts.delete()
        regroup(Image.objects.filter(sha256__in=contents).values_list("pk", flat=True))
    return decision


def forget_old() -> None:
    """Delete decisions that cannot be undone any more; verdicts on contents stay."""
    Decision.objects.filter(created_at__lt=timezone.now() - TRASH_RETENTION).delete()


def _restore(decision: Decision) -> None:
    kept = Image.everything.select_for_update().filter(pk=decision.kept or 0).first()
    if not collection.restore_images(ids=decision.trashed):
        raise TooLate(_("These pictures are no longer in the trash."))
    if kept:
        collection.unmerge_labels(image=kept, merged=Merged(decision.tags, decision.albums))


def _members(group_id: int) -> dict[int, Image]:
    """The pictures of a group, locked. Raises Decided."""
    keys = Group.objects.filter(pk=group_id).values_list("members__image", flat=True)
    rows = Image.objects.select_for_update().filter(pk__in=[key for key in keys if key is not None])
    images = {image.pk: image for image in rows}
    if len(images) < 2:
        raise Decided(_("This group is gone: somebody has already made a decision. Reload the page."))
    return images


def _duplicates_of(image_id: int) -> set[int]:
    pairs = Pair.objects.filter(Q(first=image_id) | Q(second=image_id)).values_list("first_id", "second_id")
    return {key for pair in pairs for key in pair} - {image_id}


def _write_verdicts(contents: Iterable[tuple[str, str]], user: User | None) -> list[int]:
    """Write the verdicts on these pairs of SHA-256; returns the ids of those that are new."""
    ids = []
    for pair in contents:
        one, two = sorted(pair)
        verdict, created = Verdict.objects.get_or_create(one=one, two=two, defaults={"said_by": user})
        ids += [verdict.pk] if created else []
    return ids
