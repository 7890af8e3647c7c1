"""What searching does when the gallery changes; all of it inside the gallery's own transaction."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.dispatch import receiver

from search.collection import images_added, images_deleted
from search.features.store import write_tombstones
from search.jobs.extraction_queue import enqueue
from search.methods import METHODS
from search.models import Space


@receiver(images_added)
def extract_features(ids: Sequence[int], **_: object) -> None:
    """Queue new pictures; a message that is lost is sent again by the next sweep."""
    enqueue(ids)


@receiver(images_deleted)
def leave_tombstones(ids: Sequence[int], **_: object) -> None:
    """In the same transaction: a picture that is gone is found nowhere."""
    write_tombstones(ids)


@receiver(post_migrate)
def make_spaces(sender: AppConfig, **_: object) -> None:
    """Rows that writers can lock before the first feature comes."""
    if sender.name == "search":
        Space.objects.bulk_create([Space(name=name) for name in METHODS], ignore_conflicts=True)
