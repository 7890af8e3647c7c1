"""Fetching an encoder from the admin: who asked for it, and how far it got."""

from __future__ import annotations

import re
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

SILENT = timedelta(minutes=2)  # a fetch that lives says so far more often


class Fetch(models.Model):
    """One run of ``manage.py fetch_models NAME``, done by the worker."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    name = models.CharField("model", max_length=200)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    stage = models.CharField(max_length=200, blank=True, help_text="The last line that the command wrote")
    error = models.TextField(blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "encoder fetch"
        verbose_name_plural = "encoders"

    def __str__(self) -> str:
        return self.name

    @property
    def finished(self) -> bool:
        return self.state in {self.State.DONE, self.State.FAILED}

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps of how many are done, where the command says so; else 0 of 0."""
        told = re.search(r": (\d+) of (\d+)$", self.stage)
        return (int(told[1]), int(told[2])) if told else (0, 0)

    @property
    def lost(self) -> bool:
        """Whether the worker that had it is gone."""
        return self.state == self.State.RUNNING and timezone.now() - self.updated_at > SILENT
