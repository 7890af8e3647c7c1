"""A process of its own beside the tests: reads commands on standard input, answers in JSON lines."""

from __future__ import annotations

import json
import os
import shlex
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "imagesite.settings")


def add(path: str) -> int:
    from gallery.services import add_image

    return add_image(data=Path(path).read_bytes(), file_name=path).image.pk


def extract(image_id: str) -> None:
    from search.features.extraction import extract

    extract([int(image_id)])


def delete(image_id: str) -> int:
    from gallery.services import delete_images

    return delete_images(ids=[int(image_id)])


def build(space: str) -> int | None:
    from search.snapshots.build import build

    snapshot = build(space)
    return snapshot.sequence if snapshot else None


def find(path: str) -> dict[str, list[int]]:
    """Keys per space, nearest first, of a search by a file."""
    from gallery.decoding import decode
    from search.methods import METHODS
    from search.retrieval.engine import search
    from search.retrieval.queries import query_by_pixels

    query = query_by_pixels(decode(Path(path).read_bytes()).pixels)
    return {space: [hit.key for hit in search(query, method=space, limit=5).hits] for space in METHODS}


def pending(_: str) -> int:
    from search.features import backlog
    from search.features.versions import states_of
    from search.methods import METHODS

    return max(map(backlog.pending, states_of(METHODS))) + backlog.lacking([], thumbnails=True).count()


def count(_: str) -> int:
    from search.models import Feature

    return Feature.objects.filter(data__isnull=False).count()


def empty(_: str) -> None:
    """Forget all rows, for the next test on the same server."""
    from django.core.management import call_command

    call_command("flush", interactive=False, verbosity=0)


def manage(command: str) -> str:
    """What a command of manage.py says, its error included."""
    from django.core.management import CommandError, call_command

    said = StringIO()
    try:
        call_command(*shlex.split(command), stdout=said, stderr=said)
    except CommandError as error:
        said.write(f"error: {error}")
    return said.getvalue()


def images(_: str) -> dict[str, int]:
    """Title -> id of all that is shown and has its file."""
    from django.core.files.storage import default_storage

    from gallery.models import Image

    return {image.title: image.pk for image in Image.objects.all() if default_storage.exists(image.file_name)}


def trash_long_ago(image_id: str) -> None:
    """Move a picture to the trash as if that had been 31 days ago."""
    from django.utils import timezone

    from gallery.models import Image
    from gallery.services import trash_images

    trash_images(ids=[int(image_id)])
    Image.in_trash.filter(pk=image_id).update(trashed_at=timezone.now() - timedelta(days=31))


def stored(_: str) -> int:
    """How many pictures there are, those in the trash too."""
    from gallery.models import Image

    return Image.everything.count()


def status(path: str) -> int:
    """The status of the site's answer to its owner."""
    from django.contrib.auth.models import User
    from django.test import Client

    owner = User.objects.filter(is_superuser=True).first() or User.objects.create_superuser("owner")
    client = Client(SERVER_NAME="localhost")
    client.force_login(owner)
    return client.get(path).status_code


if __name__ == "__main__":
    django.setup()
    for line in sys.stdin:
        verb, _, argument = line.rstrip("\n").partition(" ")
        print(json.dumps(globals()[verb](argument)), flush=True)  # noqa: T201
