"""The admin of encoders: which are installed, which spaces use them, and the installation of another."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse

from search.encoders import ENCODERS
from search.jobs.admin import BackgroundJobAdmin
from search.model_registry import install, registry
from search.model_registry.models import Fetch

PLAIN_NAME = RegexValidator(r"^[\w./:@+-]+$", "A name has letters, digits and . / : @ + - _ only.")


class InstallForm(forms.ModelForm[Fetch]):
    """Which encoder to install."""

    name = forms.CharField(
        label="Model", max_length=200, validators=[PLAIN_NAME], help_text=f"One of: {', '.join(ENCODERS)}"
    )

    class Meta:
        model = Fetch
        fields = ("name",)

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        prefix, colon, rest = name.removeprefix("open_").partition(":")
        if not (rest and prefix + colon in ENCODERS if colon else name in ENCODERS):
            raise forms.ValidationError(f"There is no such model. Write one of: {', '.join(ENCODERS)}.")
        return name


@admin.register(Fetch)
class InstallAdmin(BackgroundJobAdmin):
    """Encoders on this machine, and the jobs that install them."""

    form = InstallForm
    list_display = ("name", "progress", "requested_by", "created_at")
    readonly_fields = ("progress", "error", "requested_by", "created_at", "updated_at")
    change_list_template = "admin/fetching/fetch/change_list.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("fetching.add_fetch"))

    def get_fields(self, request: HttpRequest, obj: Fetch | None = None) -> tuple[str, ...]:
        return ("name", *self.readonly_fields) if obj else ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: Fetch | None = None) -> tuple[str, ...]:
        return ("name", *self.readonly_fields) if obj else ()

    def get_urls(self) -> list[URLPattern]:
        state = path("<int:pk>/state/", self.admin_site.admin_view(self.state), name="fetching_fetch_state")
        return [state, *super().get_urls()]

    def state(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What static/admin-progress.js asks for. A lost install counts as failed, so that its bar stops."""
        fetch = get_object_or_404(Fetch, pk=pk)
        state = Fetch.State.FAILED if fetch.lost else fetch.state
        return JsonResponse({"state": state, "stage": fetch.stage, "done": fetch.done, "total": fetch.total})

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        installed = registry.installed_models()
        names = {model.meta["name"] for model in installed}
        # A name that ends with a colon is the prefix of many, which have to be typed.
        more = [(name, label) for name, (label, _) in ENCODERS.items() if name not in names and name[-1] != ":"]
        context = {
            "title": "Encoders",
            "encoders": installed,
            "more": [*more, (registry.RECOMMENDED, "CLIP: understands words best")],
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def save_model(self, request: HttpRequest, obj: Fetch, form: Any, change: bool) -> None:
        user: Any = request.user
        fetch = install.request(name=obj.name, user=user)
        obj.pk = fetch.pk

    def response_add(self, request: HttpRequest, obj: Fetch, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, f"The worker fetches {obj}.")
        return HttpResponseRedirect(reverse("admin:fetching_fetch_changelist"))

    def progress_url(self, fetch: Fetch) -> str:
        return "" if fetch.lost else reverse("admin:fetching_fetch_state", args=[fetch.pk])
