"""A new site makes its encoders by itself; what fails is not tried for ever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from search.model_registry import defaults
from search.model_registry.models import SILENT, Fetch

pytestmark = pytest.mark.django_db
State = Fetch.State


@pytest.fixture
def nothing_there(settings, tmp_path: Path) -> None:
    settings.MODELS_ROOT = tmp_path / "models"


@pytest.mark.parametrize("at_start", [False, True])
def test_nothing_is_fetched_where_all_is_there(at_start: bool) -> None:
    assert defaults.missing() == []
    defaults.install_missing(at_start=at_start)
    assert not Fetch.objects.exists()


def test_what_is_missing_or_damaged_is_asked_for_once(nothing_there) -> None:
    for _ in range(3):
        defaults.install_missing()
    asked = Fetch.objects.values_list("name", "state").order_by("name")
    assert list(asked) == [("conse", State.QUEUED), ("efficientnet-lite0", State.QUEUED)]


def test_a_damaged_encoder_is_missing(settings, tmp_path: Path, encoders: Path) -> None:
    import shutil

    settings.MODELS_ROOT = tmp_path / "models"
    shutil.copytree(encoders, settings.MODELS_ROOT, symlinks=True)
    file = settings.MODELS_ROOT / "efficientnet-lite0" / "image.onnx"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert defaults.missing() == ["efficientnet-lite0"]


def test_what_failed_is_tried_again_only_when_a_worker_starts(nothing_there) -> None:
    defaults.install_missing()
    Fetch.objects.update(state=State.FAILED)
    defaults.install_missing()
    assert Fetch.objects.count() == 2
    defaults.install_missing(at_start=True)
    assert Fetch.objects.filter(state=State.QUEUED).count() == 2


def test_what_somebody_cancelled_is_not_tried_again(nothing_there) -> None:
    defaults.install_missing()
    for fetch in Fetch.objects.all():
        assert fetch.cancel()
    defaults.install_missing(at_start=True)
    assert set(Fetch.objects.values_list("state", flat=True)) == {State.CANCELLED}


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_what_was_cut_off_goes_on(settings, nothing_there, state: str) -> None:
    """Here the queue runs at once what it is given, and finds the encoder where the environment says."""
    settings.SEMANTIC_ENCODER = settings.NEURAL_ENCODER
    defaults.install_missing()
    Fetch.objects.update(state=state)
    defaults.install_missing()
    assert not Fetch.objects.filter(state=State.DONE).exists()
    Fetch.objects.update(updated_at=timezone.now() - SILENT - timedelta(seconds=1))
    defaults.install_missing()
    assert Fetch.objects.filter(state=State.DONE).count() == 1
