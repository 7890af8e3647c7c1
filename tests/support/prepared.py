"""Sites that several tests begin with: made once in a session, then put back row by row and file by file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection, models, transaction

from search.retrieval.live import forget
from tests.support.environment import DATA

Rows = list[tuple[type[models.Model], list[models.Model]]]
OURS = {"gallery", "search", "atlas", "duplicates", "queries", "fetching"}  # app labels
FOLDERS = ("MEDIA_ROOT", "SNAPSHOT_ROOT")
_prepared: dict[str, Rows] = {}


def begin_with(name: str, make: Callable[[], object]) -> None:
    """Leave the site as ``make`` leaves an empty one; what has been made under this name is put back."""
    if name in _prepared:
        _restore(name)
    else:
        make()
        _prepared[name] = [(model, list(model._base_manager.all())) for model in _models()]
        for folder in FOLDERS:
            _copy(Path(getattr(settings, folder)), _kept(name, folder))
    forget()


def _models() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.app_label in OURS]


def _restore(name: str) -> None:
    rows = _prepared[name]
    with transaction.atomic():  # keys of other tables are checked at the end
        for model, _ in rows:
            model._base_manager.all()._raw_delete(connection.alias)
        for model, found in rows:
            model._base_manager.bulk_create(found)
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model for model, _ in rows]):
            cursor.execute(statement)
    for folder in FOLDERS:
        _copy(_kept(name, folder), Path(getattr(settings, folder)))


def _kept(name: str, folder: str) -> Path:
    return Path(DATA) / "prepared" / name / folder


def _copy(source: Path, target: Path) -> None:
    """Files are never changed in place, so that links serve as copies."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, copy_function=os.link)
