"""Pages of the gallery: look at pictures, add one, edit one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import InvalidPage
from django.core.signing import BadSignature, TimestampSigner
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers

from gallery import services
from gallery.exceptions import ImageRejected
from gallery.forms import AddForm, GalleryForm, ImageForm
from gallery.models import BROWSER_FORMATS, TRASH_RETENTION, Album, Image, Tag
from gallery.thumbnails import preview_of
from gallery.web.paging import SORTS, images, page_of
from gallery.web.requests import wants_fragment

# Signs the id of a picture that is held back, so that only its sender can add it anyway.
held_signer = TimestampSigner(salt="gallery.add.anyway")

TAGS_SHOWN = 12
ALBUMS_OFFERED = 500
TAGS_COUNTED = 2_000  # newest pictures: counting the tags of all would be slow in a large gallery


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one uploaded file: added, there already (not ``created``), or a ``problem``.

    With ``copies`` it is held back. Its ``token`` allows its sender to add it anyway; ``preview`` shows it until then.
    """

    name: str
    image: Image | None = None
    created: bool = False
    problem: str = ""
    copies: tuple[services.NearDuplicate, ...] = ()
    token: str = ""
    preview: str = ""


@require_safe
@vary_on_headers("HX-Request")  # one address, two answers: a cache must not mix page and fragment
def index(request: HttpRequest) -> HttpResponse:
    return gallery_page(request)


def gallery_page(request: HttpRequest, album: Album | None = None) -> HttpResponse:
    """The pictures of the gallery or of an album, as the query string filters and sorts them."""
    form = GalleryForm(request.GET)
    if not form.is_valid():
        raise Http404("There is no such page of the gallery.")
    cleaned = form.cleaned_data
    try:
        matching = images(tag=cleaned["tag"], q=cleaned["q"], album=album.pk if album else None)
        page = page_of(matching, cleaned["page"], sort=cleaned["sort"])
    except InvalidPage as error:
        raise Http404(str(error)) from error
    context = cleaned | {"page": page, "album": album, "first": not cleaned["page"]}
    if wants_fragment(request):
        return render(request, "gallery/_pictures.html", context)
    if cleaned["select"] and request.user.has_perm("gallery.change_album"):
        context["albums"] = Album.objects.order_by("title")[:ALBUMS_OFFERED]
    context |= {"sorts": [(name, sort.label) for name, sort in SORTS.items()]}
    return render(request, "gallery/index.html", context | {"tags": None if album else popular_tags()})


def popular_tags() -> QuerySet[Tag]:
    """The most frequent tags of the newest pictures."""
    newest = Image.objects.order_by("-pk").values("pk")[:TAGS_COUNTED]
    counted = Tag.objects.filter(images__pk__in=newest).annotate(count=Count("images"))
    return counted.order_by("-count", "name")[:TAGS_SHOWN]


@require_safe
def image(request: HttpRequest, pk: int) -> HttpResponse:
    shown = get_object_or_404(Image.objects.prefetch_related("tags"), pk=pk)
    context = {
        "image": shown,
        "newer": Image.objects.filter(pk__gt=pk).order_by("pk").first(),
        "older": Image.objects.filter(pk__lt=pk).order_by("-pk").first(),
        "browser_shows_original": shown.format in BROWSER_FORMATS,
        "show_place": settings.SHOW_GPS and shown.latitude is not None and shown.longitude is not None,
    }
    return render(request, "gallery/image.html", context)


@require_http_methods(["GET", "POST"])
@login_required
@permission_required("gallery.add_image", raise_exception=True)
@vary_on_headers("HX-Request")
def add(request: HttpRequest) -> HttpResponse:
    if request.method == "GET":
        return render(request, "gallery/add.html", {"form": AddForm()})
    form, outcomes = AddForm(request.POST, request.FILES), []
    if "anyway" in request.POST:
        outcomes = [_add_held(request.POST["anyway"])]
    elif form.is_valid():
        title, tags = form.cleaned_data["title"], form.cleaned_data["tags"]
        outcomes = [_add(upload, title, tags) for upload in form.cleaned_data["pictures"]]
    # A page that adds several is an error only if none of them was taken.
    status = 200 if any(outcome.image for outcome in outcomes) else 400
    template = "gallery/_outcomes.html" if wants_fragment(request) else "gallery/add.html"
    return render(request, template, {"form": form, "outcomes": outcomes}, status=status)


def _add(upload: UploadedFile[bytes], title: str, tags: Sequence[str]) -> Outcome:
    name = upload.name or _("Picture")
    # Before the file is read: one that is far too large must not fill the memory.
    if (upload.size or 0) > settings.MAX_IMAGE_BYTES:
        most = settings.MAX_IMAGE_BYTES // 1_000_000
        return Outcome(name, problem=_("The file is larger than %(most)s MB. Add a smaller copy.") % {"most": most})
    try:
        added = services.add_or_hold_image(data=upload.read(), title=title, file_name=name, tags=tags)
    except ImageRejected as error:
        return Outcome(name, problem=str(error))
    if added.near_duplicates:
        token = held_signer.sign(str(added.image.pk))
        return Outcome(name, added.image, copies=added.near_duplicates, token=token, preview=preview_of(added.image))
    return Outcome(name, added.image, added.created)


def _add_held(token: str) -> Outcome:
    """Add a picture that was held back because it looks like one of the gallery."""
    try:
        held = Image.everything.get(pk=int(held_signer.unsign(token, max_age=TRASH_RETENTION)))
    except (BadSignature, Image.DoesNotExist):
        return Outcome(_("Picture"), problem=_("This picture is no longer waiting to be added. Please add it again."))
    restored = services.restore_images(ids=[held.pk])
    return Outcome(str(held), held, created=bool(restored))


@require_http_methods(["GET", "POST"])
@login_required
@permission_required("gallery.change_image", raise_exception=True)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    image = get_object_or_404(Image, pk=pk)
    if request.method == "GET":
        tags = ", ".join(tag.name for tag in image.tags.all())
        form = ImageForm(initial={"title": image.title, "tags": tags})
    elif (form := ImageForm(request.POST)).is_valid():
        services.update_image(image=image, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect(image)
    status = 400 if form.errors else 200
    return render(request, "gallery/edit.html", {"image": image, "form": form}, status=status)
