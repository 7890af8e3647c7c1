"""Pictures that visitors have searched by, stored for a while so that a search can be opened again."""

from __future__ import annotations

import secrets

from django.db import models
from django.urls import reverse


def new_key() -> str:
    """128 random bits: nobody finds the address who was not given it."""
    return secrets.token_urlsafe(16)


class QueryUpload(models.Model):
    """A query picture, until ``expires_at``. Only services.py writes rows and files."""

    id = models.CharField(max_length=22, primary_key=True, default=new_key)
    width = models.PositiveIntegerField(help_text="Pixels of the stored copy")
    height = models.PositiveIntegerField()
    features = models.JSONField(default=list, help_text="[space, version, the feature in base64], ...")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "queries_kept"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"Search {self.pk[:6]}…"

    def get_absolute_url(self) -> str:
        return reverse("search:kept", args=[self.pk])

    @property
    def url(self) -> str:
        """Where the picture is shown to whoever has the search's address."""
        return reverse("search:kept-picture", args=[self.pk])

    @property
    def file_name(self) -> str:
        return f"{self.pk}.jpg"
