"""What the admin pages of background jobs have in common."""

from __future__ import annotations

from typing import Any, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string

from search.models import BackgroundJob

AnyJob = TypeVar("AnyJob", bound=BackgroundJob)


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Rows that only the program writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class BackgroundJobAdmin(ReadOnlyAdmin):
    """A bar that moves while the page is open, and an action that cancels."""

    list_select_related = ("requested_by",)
    actions: tuple[str, ...] = ("cancel",)

    class Media:
        js = ("admin-progress.js",)
        css = {"all": ["admin-extra.css"]}

    def progress_url(self, job: Any) -> str:
        """Where static/admin-progress.js asks for state, stage, done and total; a bar without it does not move."""
        return ""

    def cancel_job(self, job: Any) -> bool:
        """False if it has ended already. Overridden where something is to be cleaned up."""
        return bool(job.cancel())

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        """As for changing a row, which nobody can do by hand."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}"))

    @admin.action(description="Cancel", permissions=["cancel"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[BackgroundJob]) -> None:
        count = sum(self.cancel_job(job) for job in queryset)
        self.message_user(request, f"{count} cancelled; what has ended already stays as it is.")

    @admin.display(ordering="state")
    def progress(self, job: BackgroundJob) -> str:
        """Full when it is done; without script it shows how far it is now."""
        done, total = (1, 1) if job.state == job.State.DONE else (job.done, max(job.total, 1))
        url = "" if job.finished else self.progress_url(job)
        return render_to_string("admin/job_progress.html", {"url": url, "job": job, "done": done, "total": total})
