"""The Django admin of spaces, snapshots, jobs and pictures that could not be worked on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.html import format_html
from django.utils.timesince import timesince

from gallery.admin import ImageAdmin
from gallery.models import Image
from search.exceptions import SearchError
from search.features import backlog
from search.features.store import current
from search.features.versions import state_of_row, states_of
from search.indexes import INDEXES
from search.jobs import reindexing, status
from search.jobs.admin import BackgroundJobAdmin, ReadOnlyAdmin
from search.jobs.extraction_queue import enqueue
from search.methods import METHODS, label_of
from search.models import Extraction, Job, Snapshot, Space
from search.snapshots.loading import index_name
from search.snapshots.rollback import rollback

admin.site.unregister(Image)


@admin.register(Image)
class SearchedImageAdmin(ImageAdmin):
    """Pictures, whose features can be computed anew."""

    actions = ("extract_again",)

    @admin.action(description="Extract again", permissions=["change"])
    def extract_again(self, request: HttpRequest, queryset: QuerySet[Image]) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        backlog.mark_stale(states_of(METHODS), ids)
        enqueue(ids)
        self.message_user(request, f"{len(ids)} pictures will be worked on again.")


@admin.register(Space)
class SpaceAdmin(ReadOnlyAdmin):
    """The spaces, the status of each, and actions that bring them up to date."""

    list_display = (
        "label",
        "name",
        "index",
        "count",
        "pending",
        "tail",
        "sequence",
        "age",
        "size",
        "last_check",
        "problem",
    )
    list_select_related = ("snapshot", "self_check")
    fields = list_display
    actions = ("build_index", "roll_back", "extract_again")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Space]:
        return super().get_queryset(request).filter(name__in=METHODS)

    @admin.action(description="Build index")
    def build_index(self, request: HttpRequest, queryset: QuerySet[Space]) -> None:
        self._start(request, queryset, force=False)

    @admin.action(description="Roll back to the snapshot before")
    def roll_back(self, request: HttpRequest, queryset: QuerySet[Space]) -> None:
        for space in queryset:
            try:
                serves = rollback(space.name, request.user.get_username())
                self.message_user(request, f"{serves} serves again; what came later is searched beside it.")
            except SearchError as error:
                self.message_user(request, str(error), messages.ERROR)

    @admin.action(description="Extract again, all pictures")
    def extract_again(self, request: HttpRequest, queryset: QuerySet[Space]) -> None:
        self._start(request, queryset, force=True)

    def _start(self, request: HttpRequest, queryset: QuerySet[Space], *, force: bool) -> None:
        names = list(queryset.values_list("name", flat=True))
        user: Any = request.user
        job = reindexing.start_job(spaces=names, force=force, user=user)
        url = reverse("admin:search_job_change", args=[job.pk])
        self.message_user(request, format_html('<a href="{}">{}</a> started: {}.', url, job, ", ".join(names)))

    @admin.display(description="method")
    def label(self, space: Space) -> str:
        return label_of(space.name)

    def index(self, space: Space) -> str:
        return INDEXES[index_name(space.name)][0]

    @admin.display(description="pictures")
    def count(self, space: Space) -> int:
        return current(state_of_row(space)).count()

    def pending(self, space: Space) -> int:
        return backlog.pending(state_of_row(space))

    @admin.display(description="tail")
    def tail(self, space: Space) -> int:
        return status.tail(state_of_row(space))

    @admin.display(description="snapshot")
    def sequence(self, space: Space) -> str:
        return f"{space.snapshot.sequence} of {space.head}" if space.snapshot else f"none of {space.head}"

    @admin.display(description="age")
    def age(self, space: Space) -> str:
        return timesince(space.snapshot.created_at) if space.snapshot else "-"

    @admin.display(description="size")
    def size(self, space: Space) -> str:
        stored = filesizeformat(status.stored_bytes(space.name))
        indexed = filesizeformat(space.snapshot.bytes if space.snapshot else 0)
        return f"{stored}, index {indexed}"

    @admin.display(description="last check")
    def last_check(self, space: Space) -> str:
        """Of manage.py check_index."""
        checked = getattr(space, "self_check", None)
        if checked is None:
            return "never"
        wrong = (
            f", {checked.missing} missing, {checked.orphaned} orphaned" if checked.missing + checked.orphaned else ""
        )
        measured = f"recall {checked.recall:.3f}, p50 {checked.p50:.2f} ms, p95 {checked.p95:.2f} ms"
        return f"{measured}{wrong}, {timesince(checked.created_at)} ago"

    @admin.display(description="problem", empty_value="-")
    def problem(self, space: Space) -> str:
        return status.snapshot_problem(state_of_row(space))


@admin.register(Job)
class JobAdmin(BackgroundJobAdmin):
    """Reindexing."""

    list_display = ("__str__", "progress", "space_names", "force", "requested_by", "created_at")
    list_filter = ("state",)
    fields = ("progress", "space_names", "force", "error", "requested_by", "created_at", "updated_at")

    def progress_url(self, job: Job) -> str:
        return reverse("api:job", args=[job.pk])

    def cancel_job(self, job: Job) -> bool:
        return reindexing.cancel(job)

    @admin.display(description="spaces")
    def space_names(self, job: Job) -> str:
        return ", ".join(job.spaces)


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "index", "version", "count", "size", "problem", "created_at")
    list_filter = ("space", "index")

    @admin.display(description="size", ordering="bytes")
    def size(self, snapshot: Snapshot) -> str:
        return filesizeformat(snapshot.bytes)


@admin.register(Extraction)
class FailedPictureAdmin(ReadOnlyAdmin):
    """Pictures that were given up after too many tries."""

    list_display = ("image", "tries", "reason", "enqueued_at")
    fields = list_display
    actions = ("try_again",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Extraction]:
        return super().get_queryset(request).filter(tries__gte=backlog.MAX_TRIES)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Failed pictures", **(extra_context or {})})

    @admin.display(description="picture")
    def image(self, extraction: Extraction) -> str:
        url = reverse("admin:gallery_image_change", args=[extraction.image_id])
        return format_html('<a href="{}">{}</a>', url, extraction)

    @admin.display(description="reason", ordering="error")
    def reason(self, extraction: Extraction) -> str:
        return extraction.error or "Each worker that looked at it died."

    @admin.action(description="Try again")
    def try_again(self, request: HttpRequest, queryset: QuerySet[Extraction]) -> None:
        ids: Sequence[int] = list(queryset.values_list("image_id", flat=True))
        Extraction.objects.filter(pk__in=ids).delete()
        enqueue(ids)
        self.message_user(request, f"{len(ids)} pictures will be tried again.")
