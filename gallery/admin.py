"""The Django admin of pictures, tags and albums."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html

from gallery import services
from gallery.models import Album, Image, Tag
from gallery.services.tags import clean_name


@admin.register(Image)
class ImageAdmin(admin.ModelAdmin[Image]):
    """Pictures come in by the site's own ways only; here they are looked through, described and deleted."""

    list_display = ("thumbnail", "title", "size", "format", "tag_names", "created_at")
    list_display_links = ("thumbnail", "title")
    list_filter = ("format", "created_at", ("tags", admin.RelatedOnlyFieldListFilter))
    search_fields = ("title", "sha256__startswith")
    search_help_text = "Words of the title, or the beginning of a SHA-256"
    list_per_page = 50
    show_full_result_count = False  # it would count all rows at each search
    ordering = ("-pk",)
    autocomplete_fields = ("tags",)
    readonly_fields = ("preview", "size", "format", "camera", "taken_at", "sha256", "created_at")
    fields = ("preview", "title", "tags", "size", "format", "camera", "taken_at", "sha256", "created_at")

    class Media:
        css = {"all": ["admin-extra.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Image]:
        return super().get_queryset(request).prefetch_related("tags")

    @admin.display(description="")
    def thumbnail(self, image: Image) -> str:
        return format_html('<img class="small" src="{}" alt="" loading="lazy">', image.thumbnail_url(256))

    @admin.display(description="picture")
    def preview(self, image: Image) -> str:
        source = image.thumbnail_url(1024)
        return format_html('<a href="{}"><img class="large" src="{}" alt=""></a>', image.url, source)

    @admin.display(description="size", ordering="bytes")
    def size(self, image: Image) -> str:
        return f"{image.width} × {image.height}, {filesizeformat(image.bytes)}"

    @admin.display(description="tags")
    def tag_names(self, image: Image) -> str:
        return ", ".join(tag.name for tag in image.tags.all())

    def save_model(self, request: HttpRequest, obj: Image, form: Any, change: bool) -> None:
        # The form has only set attributes of ``obj``; tags come in ``save_related``, which is left empty.
        tags = [tag.name for tag in form.cleaned_data["tags"]]
        services.update_image(image=obj, title=obj.title, tags=tags)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The tags are set already."""

    def delete_model(self, request: HttpRequest, obj: Image) -> None:
        services.delete_images(ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Image]) -> None:
        """Django's own would delete rows only: files would stay, and searches would not hear of it."""
        services.delete_images(ids=queryset.values_list("pk", flat=True))


class TagForm(forms.ModelForm[Tag]):
    def clean_name(self) -> str:
        return clean_name(self.cleaned_data["name"])


@admin.register(Tag)
class TagAdmin(admin.ModelAdmin[Tag]):
    form = TagForm
    search_fields = ("name",)

    def save_model(self, request: HttpRequest, obj: Tag, form: Any, change: bool) -> None:
        services.save_tag(tag=obj)

    def delete_model(self, request: HttpRequest, obj: Tag) -> None:
        services.delete_tags(ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Tag]) -> None:
        services.delete_tags(ids=queryset.values_list("pk", flat=True))


@admin.register(Album)
class AlbumAdmin(admin.ModelAdmin[Album]):
    search_fields = ("title",)
    list_display = ("title", "created_at")
    autocomplete_fields = ("images",)

    def save_model(self, request: HttpRequest, obj: Album, form: Any, change: bool) -> None:
        services.save_album(album=obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        services.set_album_images(album=form.instance, ids=[image.pk for image in form.cleaned_data["images"]])

    def delete_model(self, request: HttpRequest, obj: Album) -> None:
        services.delete_albums(ids=[obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Album]) -> None:
        services.delete_albums(ids=queryset.values_list("pk", flat=True))
