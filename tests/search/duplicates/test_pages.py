"""Pages and API of duplicates: who may do what, and what they say."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile

from gallery.models import Image
from gallery.services import delete_images
from search.duplicates import detection, review, wording
from search.duplicates.models import Decision, Group, Verdict
from search.retrieval.live import forget
from tests.support.api import error_of, holder, writer
from tests.support.duplicate_images import SIZE, add
from tests.support.images import encode, scene
from tests.support.pages import as_editor, text

pytestmark = pytest.mark.django_db

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def pair():
    images = add(1, 90, title=EVIL, tags=["one"]), add(1, 30, title="Copy", tags=["two"])
    detection.detect()
    return images


@pytest.fixture
def owner(client):
    client.force_login(User.objects.create_superuser("owner"))
    return client


def group():
    return Group.objects.get().pk


def addresses(images):
    one, two = images[0].pk, images[1].pk
    over = f"/duplicates/compare/{one}/{two}/"
    return ["/duplicates/", over, f"{over}aligned.webp", f"{over}difference.webp"]


def deciding(images):
    return [f"/duplicates/{group()}/keep/", f"/duplicates/{group()}/apart/", "/duplicates/decisions/1/undo/"]


def test_it_is_for_staff(client, pair):
    for address in addresses(pair):
        assert client.get(address)["Location"].startswith("/login/")
    for address in deciding(pair):
        assert client.post(address, {"image": pair[0].pk})["Location"].startswith("/login/")
    as_editor(client)
    assert [client.get(address).status_code for address in addresses(pair)] == [403] * 4
    assert [client.post(address, {"image": pair[0].pk}).status_code for address in deciding(pair)] == [403] * 3
    assert Image.objects.count() == 2


def test_staff_without_the_permission_may_look_but_not_decide(client, pair):
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert [client.get(address).status_code for address in addresses(pair)] == [200] * 4
    assert "Keep selected" not in text(client.get("/duplicates/"))
    assert [client.post(address, {"image": pair[0].pk}).status_code for address in deciding(pair)] == [403] * 3


def test_only_staff_see_the_way_to_it(client, pair):
    assert "/duplicates/" not in text(client.get("/"))
    client.force_login(User.objects.create_user("staff", is_staff=True))
    assert 'href="/duplicates/"' in text(client.get("/"))


def test_deciding_needs_the_forms_token(pair):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("owner"))
    assert client.post(f"/duplicates/{group()}/keep/", {"image": pair[0].pk}).status_code == 403
    assert Image.objects.count() == 2


def test_titles_are_never_markup(owner, pair):
    for address in addresses(pair)[:2]:
        page = text(owner.get(address))
        assert EVIL not in page
        assert "&lt;script&gt;alert(1)" in page
    kept = owner.post(f"/duplicates/{group()}/keep/", {"image": pair[0].pk}, headers={"HX-Request": "true"})
    assert "<script" not in text(kept)
    assert "<script>alert" not in text(owner.get("/trash/"))


def test_the_page_shows_how_they_relate_and_what_to_keep(owner, pair):
    page = text(owner.get("/duplicates/"))
    assert "least compressed" in page
    assert "Recompressed" in page
    assert f'value="{pair[0].pk}" checked' in page
    assert owner.get("/duplicates/?relation=recompressed").context["page"].groups
    assert "No duplicates of this kind" in text(owner.get("/duplicates/?relation=crop"))


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("largest", "largest, 4,000 × 3,000"),
        ("least_compressed", "least compressed"),
        ("lossless", "lossless, JPEG"),
        ("time_known", "has the date it was taken"),
        ("here the longest", "here the longest"),  # as an older program stored it
    ],
)
def test_a_reason_is_put_into_words_from_the_picture(code, shown):
    picture = Image(width=4000, height=3000, bytes=3_000_000, format="JPEG")
    assert wording.reason(code, picture) == shown


@pytest.mark.parametrize("query", ["relation=x", "page=x", "page=before-", "page=before-9x", "page=" + "9" * 41])
def test_there_is_no_such_page(owner, query):
    assert owner.get(f"/duplicates/?{query}").status_code == 404


def test_keeping_and_undoing_without_a_script(owner, pair):
    answer = owner.post(f"/duplicates/{group()}/keep/", {"image": pair[0].pk, "next": "/duplicates/?page=before-9"})
    assert answer["Location"] == "/duplicates/?page=before-9"
    page = text(owner.get("/duplicates/"))
    assert "Kept one picture and moved 1 to the trash." in page
    decision = Decision.objects.get()
    assert f"/duplicates/decisions/{decision.pk}/undo/" in page
    assert "Undone." in text(owner.post(f"/duplicates/decisions/{decision.pk}/undo/", follow=True))
    assert Image.objects.count() == 2
    assert "This has already been undone." in text(
        owner.post(f"/duplicates/decisions/{decision.pk}/undo/", follow=True)
    )


def test_a_script_gets_the_line_that_takes_the_groups_place(owner, pair):
    script = {"HX-Request": "true"}
    answer = owner.post(f"/duplicates/{group()}/apart/", {}, headers=script)
    assert "Marked as not duplicates." in text(answer)
    assert Verdict.objects.count() == 1
    late = owner.post("/duplicates/99/keep/", {"image": pair[0].pk}, headers=script)
    assert late.status_code == 409
    assert "somebody has already made a decision" in text(late)


@pytest.mark.parametrize("image", ["", "x", "-1", "9" * 30])
def test_a_broken_choice_decides_nothing(owner, pair, image):
    answer = owner.post(f"/duplicates/{group()}/keep/", {"image": image}, headers={"HX-Request": "true"})
    assert answer.status_code == 400
    assert Image.objects.count() == 2


def test_nobody_is_sent_to_another_site(owner, pair):
    answer = owner.post(f"/duplicates/{group()}/keep/", {"image": pair[0].pk, "next": "https://evil.example/"})
    assert answer["Location"] == "/duplicates/"


def test_comparing_shows_both_and_what_differs(owner, pair):
    one, two = pair[0].pk, pair[1].pk
    page = text(owner.get(f"/duplicates/compare/{one}/{two}/"))
    assert "Recompressed" in page
    assert "320 × 240" in page
    for name in ("aligned", "difference"):
        answer = owner.get(f"/duplicates/compare/{one}/{two}/{name}.webp")
        assert answer["Content-Type"] == "image/webp"
        assert answer.content[8:12] == b"WEBP"
    assert owner.get(f"/duplicates/compare/{one}/999/").status_code == 404
    assert owner.get(f"/duplicates/compare/{one}/{'9' * 30}/").status_code == 404
    assert owner.get(f"/duplicates/compare/{two}/{one}/?view=difference").status_code == 200


def test_pages_follow_each_other_by_key_in_a_few_queries(owner, django_assert_max_num_queries):
    for seed in range(7):
        add(seed, 90), add(seed, 30)
    detection.detect()
    seen, page = [], ""
    for _ in range(5):
        with django_assert_max_num_queries(8):
            found = review.page_of(page=page, size=3)
        seen += [shown.group.pk for shown in found.groups]
        page = found.next
        if not page:
            break
    assert seen == sorted(Group.objects.values_list("pk", flat=True), reverse=True)
    assert len(seen) == 7


def upload(quality=30, name="copy.jpg"):
    return SimpleUploadedFile(name, encode(scene(1, SIZE), quality=quality))


def test_a_copy_is_shown_beside_the_new_one_before_it_is_added(client):
    as_editor(client)
    known = add(1, 90, title="Known")
    page = client.post("/add/", {"pictures": upload(), "tags": "fresh"})
    assert "Already in the gallery?" in text(page)
    assert known.get_absolute_url() in text(page)
    assert "Recompressed" in text(page)
    assert "data:image/webp" in text(page)
    assert Image.objects.count() == 1
    token = page.context["outcomes"][0].token
    added = client.post("/add/", {"anyway": token})
    assert "Added:" in text(added)
    assert Image.objects.count() == 2
    assert [tag.name for tag in Image.objects.get(title="copy").tags.all()] == ["fresh"]


def test_what_was_held_back_is_asked_again_and_nobody_else_can_add_it(client):
    as_editor(client)
    add(1, 90)
    for _ in range(2):
        assert "Already in the gallery?" in text(client.post("/add/", {"pictures": upload()}))
    held = Image.everything.get(title="copy")
    for forged in (str(held.pk), f"{held.pk}:x:y", ""):
        assert client.post("/add/", {"anyway": forged}).status_code == 400
    assert Image.objects.count() == 1


def test_what_somebody_said_is_no_duplicate_is_not_asked_about(owner, pair):
    owner.post(f"/duplicates/{group()}/apart/", {})
    delete_images(ids=[pair[1].pk])
    forget()
    assert "Added:" in text(owner.post("/add/", {"pictures": upload()}))


def test_the_api_takes_a_copy_as_it_always_did():
    add(1, 90)
    answer = writer().post("/api/images/", {"file": upload()})
    assert answer.status_code == 201
    assert Image.objects.count() == 2


def staff():
    return holder("change_image", "delete_image", is_staff=True)


def test_the_api_lists_decides_and_undoes(pair):
    client = staff()
    listed = client.get("/api/duplicates/").json()
    assert listed["next"] is None
    (only,) = listed["results"]
    assert only == client.get(f"/api/duplicates/{only['id']}/").json()
    assert (only["relation"], only["size"], only["keeper"]) == ("recompressed", 2, pair[0].pk)
    assert [one["relation"] for one in only["images"]] == ["", "Recompressed"]
    address = f"/api/duplicates/{only['id']}/keep/"
    decided = client.post(address, {"image": pair[0].pk}, "application/json").json()
    assert decided["trashed"] == [pair[1].pk]
    assert error_of(client.post(address, {"image": pair[0].pk}, "application/json"), 409)["code"] == "decided"
    undo = f"/api/duplicates/decisions/{decided['id']}/undo/"
    assert client.post(undo).json()["undone_at"]
    assert error_of(client.post(undo), 409)["code"] == "too_late"
    assert client.post(f"/api/duplicates/{group()}/apart/", {}, "application/json").status_code == 200
    assert client.get("/api/duplicates/").json()["results"] == []


def test_the_api_looks_for_more():
    add(1, 90), add(1, 30)
    client = staff()
    assert client.get("/api/duplicates/find/").json()["waiting"] == 2
    assert client.post("/api/duplicates/find/", {"again": True}, "application/json").status_code == 202
    assert Group.objects.count() == 1


def test_the_api_is_for_staff_with_the_permissions(client, pair):
    for address in ("", f"{group()}/", "find/"):
        assert client.get(f"/api/duplicates/{address}").status_code in (401, 403)
        error_of(writer().get(f"/api/duplicates/{address}"), 403)
        assert holder(is_staff=True).get(f"/api/duplicates/{address}").status_code == 200
    for address in (f"{group()}/keep/", f"{group()}/apart/", "decisions/1/undo/", "trash/restore/"):
        error_of(writer().post(f"/api/duplicates/{address}", {"image": pair[0].pk}, "application/json"), 403)
        error_of(holder(is_staff=True).post(f"/api/duplicates/{address}", {}, "application/json"), 403)
    assert Image.objects.count() == 2


@pytest.mark.parametrize("image", [None, "x", 0, 2**63])
def test_the_api_explains_a_broken_choice(pair, image):
    error_of(staff().post(f"/api/duplicates/{group()}/keep/", {"image": image}, "application/json"), 400)


def test_the_api_documents_itself(client):
    schema = text(client.get("/api/schema/"))
    for operation in ("duplicates_list", "duplicates_keep", "duplicates_undo", "trash_restore"):
        assert f"operationId: {operation}" in schema


def test_the_admin_shows_what_was_said_and_changes_nothing(owner, pair):
    owner.post(f"/duplicates/{group()}/apart/", {})
    assert owner.get("/admin/duplicates/verdict/").status_code == 200
    assert owner.get("/admin/duplicates/decision/").status_code == 200
    assert owner.get("/admin/duplicates/verdict/add/").status_code == 403


def test_permissions_by_name_are_enough(client, pair):
    user = User.objects.create_user("careful", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["change_image", "delete_image"]))
    client.force_login(user)
    assert client.post(f"/duplicates/{group()}/keep/", {"image": pair[0].pk}).status_code == 302
    assert Image.objects.count() == 1
