"""The Django admin of what people have decided on duplicates."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from search.duplicates.models import Decision, Verdict


class WrittenByReview(admin.ModelAdmin[Any]):
    """Rows that only a review writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Verdict)
class VerdictAdmin(WrittenByReview):
    """To take one back, delete it: the pictures are grouped again when they are next compared."""

    list_display = ("__str__", "said_by", "created_at")
    search_fields = ("one__startswith", "two__startswith")
    list_select_related = ("said_by",)


@admin.register(Decision)
class DecisionAdmin(WrittenByReview):
    list_display = ("__str__", "kept", "decided_by", "created_at", "undone_at")
    list_filter = ("kind",)
    list_select_related = ("decided_by",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
