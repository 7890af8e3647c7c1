"""The Django admin of maps: how each stands, a new one, and one large picture to keep."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST

from search.exceptions import SearchError
from search.jobs.admin import BackgroundJobAdmin
from search.map import services
from search.map.models import Layout
from search.map.poster import LARGEST, poster_png
from search.methods import label_of


@admin.register(Layout)
class LayoutAdmin(BackgroundJobAdmin):
    """Maps, and those that are being made."""

    list_display = ("__str__", "progress", "count", "error", "created_at", "picture")
    list_filter = ("space", "state")
    fields = ("progress", "space", "count", "revision", "error", "requested_by", "created_at", "updated_at", "picture")
    actions = ("lay_out_again", *BackgroundJobAdmin.actions)
    change_list_template = "map/admin_maps.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Layout]:
        return super().get_queryset(request).defer("positions")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("new/", wrap(require_POST(self.start)), name="atlas_layout_new"),
            path("<int:pk>/map.png", wrap(self.export), name="atlas_layout_png"),
        ]
        return [*own, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        choices = [(space, label_of(space)) for space in services.mappable()]
        return super().changelist_view(request, {"mappable": choices, **(extra_context or {})})

    def start(self, request: HttpRequest) -> HttpResponseBase:
        """Ask for a map of the chosen space."""
        self._request(request, request.POST.get("space", ""))
        return redirect("admin:atlas_layout_changelist")

    @admin.action(description="Lay out again")
    def lay_out_again(self, request: HttpRequest, queryset: QuerySet[Layout]) -> None:
        for space in sorted(set(queryset.values_list("space", flat=True))):
            self._request(request, space)

    def _request(self, request: HttpRequest, space: str) -> None:
        user: Any = request.user
        try:
            layout = services.request_layout(space=space, user=user)
            self.message_user(request, f"{layout} is being made; the one that there is serves until then.")
        except SearchError as error:
            self.message_user(request, str(error), messages.ERROR)

    def export(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The map as a large PNG, sent while it is drawn."""
        layout = get_object_or_404(Layout.objects.defer("positions"), pk=pk, state=Layout.State.DONE)
        given = request.GET.get("size", "")
        size = int(given) if given.isdecimal() and 1 <= int(given[:6]) <= LARGEST else LARGEST
        response = StreamingHttpResponse(poster_png(layout, size), content_type="image/png")
        response["Content-Disposition"] = f'attachment; filename="map-{layout.space}-{layout.pk}.png"'
        return response

    def progress_url(self, layout: Layout) -> str:
        return reverse("atlas-api:layout", args=[layout.pk])

    def cancel_job(self, layout: Layout) -> bool:
        return services.cancel(layout)

    @admin.display(description="one large picture")
    def picture(self, layout: Layout) -> str:
        if layout.state != Layout.State.DONE:
            return "-"
        url = reverse("admin:atlas_layout_png", args=[layout.pk])
        return format_html(
            '<a href="{0}?size={1}">PNG, {1} pixels</a> · <a href="{0}?size=4000">4000</a>', url, LARGEST
        )
