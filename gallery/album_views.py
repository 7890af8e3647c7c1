"""Pages of albums and tags."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from gallery import services
from gallery.forms import AlbumForm
from gallery.models import Album, Image, Tag
from gallery.views import gallery_page
from gallery.web.counting import cached_count

MAX_TAGS = 2_000  # on the page
SHOWN = Q(images__trashed_at=None)  # managers do not filter what is counted through a relation


@require_safe
def tags(request: HttpRequest) -> HttpResponse:
    """Every tag with the number of its pictures, the most frequent first or by name."""
    by_name = request.GET.get("sort") == "name"
    counted = Tag.objects.annotate(count=Count("images", filter=SHOWN)).filter(count__gt=0)
    ordered = counted.order_by("name") if by_name else counted.order_by("-count", "name")
    shown = cached_count("tags-by-name" if by_name else "tags", lambda: list(ordered[:MAX_TAGS]))
    return render(request, "gallery/tags.html", {"tags": shown, "by_name": by_name})


@require_http_methods(["GET", "HEAD", "POST"])
def albums(request: HttpRequest) -> HttpResponse:
    """All albums; posting makes a new one."""
    form = AlbumForm(request.POST or None)
    if request.method == "POST":
        return _new_album(request, form)
    return _albums(request, form)


@login_required
@permission_required("gallery.add_album", raise_exception=True)
def _new_album(request: HttpRequest, form: AlbumForm) -> HttpResponse:
    if not form.is_valid():
        return _albums(request, form, 400)
    services.save_album(album=form.instance)
    return redirect("gallery:album", form.instance.pk)


def _albums(request: HttpRequest, form: AlbumForm, status: int = 200) -> HttpResponse:
    """The albums, each with its newest picture as cover, in two queries."""
    albums = list(Album.objects.annotate(count=Count("images", filter=SHOWN), cover=Max("images", filter=SHOWN)))
    covers = Image.objects.in_bulk([album.cover for album in albums if album.cover])
    with_covers = [(album, covers.get(album.cover)) for album in albums]
    return render(request, "gallery/albums.html", {"albums": with_covers, "form": form}, status=status)


@require_safe
@vary_on_headers("HX-Request")
def album(request: HttpRequest, pk: int) -> HttpResponse:
    return gallery_page(request, get_object_or_404(Album, pk=pk))


@require_http_methods(["GET", "POST"])
@login_required
@permission_required("gallery.change_album", raise_exception=True)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    album = get_object_or_404(Album, pk=pk)
    form = AlbumForm(request.POST or None, instance=album)
    if request.method == "POST" and form.is_valid():
        services.save_album(album=form.instance)
        messages.success(request, _("Saved."))
        return redirect("gallery:album", pk)
    return render(
        request, "gallery/album_edit.html", {"album": album, "form": form}, status=400 if form.errors else 200
    )


@require_POST
@login_required
@permission_required("gallery.delete_album", raise_exception=True)
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete an album; its pictures stay."""
    album = get_object_or_404(Album, pk=pk)
    services.delete_albums(ids=[pk])
    text = _("The album “%(title)s” is deleted. Its pictures are still in the gallery.")
    messages.success(request, text % {"title": album})
    return redirect("gallery:albums")
