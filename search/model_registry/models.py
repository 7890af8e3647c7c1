"""Jobs that install encoders."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone

from search.models import BackgroundJob

SILENT = timedelta(minutes=2)  # a worker that lives notes progress far more often


class Fetch(BackgroundJob):
    """One installation: a run of ``manage.py fetch_models NAME`` by a worker."""

    name = models.CharField("model", max_length=200)
    stage = models.CharField(max_length=200, blank=True, help_text="The last line that the command wrote")

    class Meta:
        ordering = ["-id"]
        verbose_name = "encoder fetch"
        verbose_name_plural = "encoders"

    def __str__(self) -> str:
        return self.name

    @property
    def lost(self) -> bool:
        """Whether its worker is dead."""
        return self.state == self.State.RUNNING and timezone.now() - self.updated_at > SILENT

    @property
    def summary(self) -> str:
        return "lost: its worker ended; fetch it again" if self.lost else super().summary
