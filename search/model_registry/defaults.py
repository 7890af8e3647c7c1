"""The encoders that the settings name: workers install what is missing, and the admin shows how far they are.

The rows of install jobs say what was tried. A worker that starts tries again what has failed or was cut off, but not
what somebody has cancelled.
"""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from search.encoders import EncoderDamaged, EncoderMissing, load
from search.jobs.queue import send
from search.methods import METHODS, get_method
from search.model_registry import install
from search.model_registry.models import SILENT, Fetch


def missing() -> list[str]:
    """Names of the encoders that methods need and that are not installed, or damaged."""
    names = []
    for space in METHODS:
        method = get_method(space)
        if method.needs_encoder:
            try:
                load(settings.MODELS_ROOT, method.encoder_name)
            except (EncoderMissing, EncoderDamaged):
                names.append(method.encoder_name)
    return names


def install_missing(*, at_start: bool = False) -> None:
    """Ask for what is missing, unless that is under way or has ended before; ``at_start`` of a worker, asks again."""
    for name in missing():
        last = Fetch.objects.filter(name=name).first()
        if last is None or (at_start and last.finished and last.state != Fetch.State.CANCELLED):
            install.request(name=name)
        elif not last.finished and (at_start or timezone.now() - last.updated_at > SILENT):
            Fetch.objects.filter(pk=last.pk).update(state=Fetch.State.QUEUED, updated_at=timezone.now())
            send("search.model_registry.tasks.run", last.pk)
