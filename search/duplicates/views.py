"""Pages where duplicates are reviewed. Staff only; a decision needs the permission to delete pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from gallery.models import Image
from gallery.web.permissions import MAY_DECIDE, staff_only
from gallery.web.requests import wants_fragment
from search.duplicates import review, services
from search.duplicates.exceptions import ReviewError
from search.duplicates.forms import ChoiceForm, ReviewForm
from search.duplicates.models import Decision
from search.jobs.queue import send


@require_safe
@staff_only()
def index(request: HttpRequest) -> HttpResponse:
    form = ReviewForm(request.GET)
    if not form.is_valid():
        raise Http404("There is no such page of duplicates.")
    relation, start = form.cleaned_data["relation"], form.cleaned_data["page"]
    try:
        page = review.page_of(relation, start)
    except InvalidPage as error:
        raise Http404(str(error)) from error
    user: Any = request.user
    context = {
        "page": page,
        "relation": relation,
        "first": not start,
        "counts": review.counts(),
        "status": review.status(),
        "last": review.last_decision(user),
        "may_decide": user.has_perms(MAY_DECIDE),
    }
    return render(request, "duplicates/index.html", context)


@require_POST
@staff_only(*MAY_DECIDE)
def keep(request: HttpRequest, pk: int) -> HttpResponse:
    return _decide(request, "image", lambda image, user: services.keep(group_id=pk, image_id=image, user=user))


@require_POST
@staff_only(*MAY_DECIDE)
def apart(request: HttpRequest, pk: int) -> HttpResponse:
    return _decide(request, "only", lambda image, user: services.set_apart(group_id=pk, image_id=image, user=user))


@require_POST
@staff_only(*MAY_DECIDE)
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        services.undo(decision_id=pk)
    except ReviewError as error:
        return _answer(request, str(error), 409)
    return _answer(request, _("Undone."), 200)


@require_POST
@staff_only()
def find(request: HttpRequest) -> HttpResponse:
    send("search.duplicates.tasks.find")
    return _answer(request, _("Looking for duplicates among new pictures."), 200)


def _decide(request: HttpRequest, field: str, call: Callable[[Any, Any], Decision]) -> HttpResponse:
    """Decide by what a field of the form says; a script gets the line that takes the group's place."""
    form = ChoiceForm(request.POST)
    if not form.is_valid() or (field == "image" and form.cleaned_data["image"] is None):
        return _answer(request, _("Choose a picture from the group."), 400)
    try:
        decision = call(form.cleaned_data[field], request.user)
    except ReviewError as error:
        return _answer(request, str(error), 409)
    if wants_fragment(request):
        kept = Image.everything.filter(pk=decision.kept or 0).first()
        return render(request, "duplicates/_decided.html", {"decision": decision, "kept": kept})
    return _answer(request, _sentence(decision), 200)


def _sentence(decision: Decision) -> str:
    if decision.kind == Decision.Kind.APART:
        return _("Marked as not duplicates.")
    moved = len(decision.trashed)
    text = ngettext(
        "Kept one picture and moved %(count)s to the trash.",
        "Kept one picture and moved %(count)s to the trash.",
        moved,
    )
    return text % {"count": moved}


def _answer(request: HttpRequest, text: str, status: int) -> HttpResponse:
    """The text alone for a script, else back on the page that was asked from."""
    if wants_fragment(request):
        return render(request, "duplicates/_answer.html", {"text": text}, status=status)
    (messages.success if status == 200 else messages.error)(request, text)
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return redirect(back if safe else reverse("duplicates:index"))
