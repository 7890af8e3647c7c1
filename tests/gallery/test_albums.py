"""Albums, tags, orders, and what is done with a selection of pictures."""

import io
import re
import zipfile
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gallery import zip_download
from gallery.models import Album, Image, Tag
from gallery.services import update_image
from gallery.web.paging import PAGE_SIZE, images, page_of
from tests.support.pages import add, as_editor, links, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client):
    as_editor(client)
    codenames = ["add_album", "change_album", "delete_album"]
    User.objects.get().user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return client


def do(client, what, pictures, **fields):
    return client.post("/selection/", {"do": what, "ids": [one.pk for one in pictures], **fields}, follow=True)


def plan_of(sql):
    """How the database goes about a query; PostgreSQL, if it must not read a small table whole and sort it."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return " ".join(row[3] for row in cursor.fetchall())
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute(f"EXPLAIN {sql}")
        return " ".join(row[0] for row in cursor.fetchall())


def addresses(pictures):
    return [one.get_absolute_url() for one in pictures]


def test_an_album_is_made_filled_renamed_emptied_and_deleted(editor):
    first, second, other = add(1), add(2), add(3)
    made = editor.post("/albums/", {"title": "Holidays"}, follow=True)
    album = Album.objects.get()
    assert "No pictures in this album yet" in text(made)
    page = do(editor, "album", [first, second], album="Holidays")
    assert links(page) == addresses([second, first])
    assert other.get_absolute_url() not in text(page)
    assert "2 pictures" in text(editor.get("/albums/"))
    editor.post(f"/albums/{album.pk}/edit/", {"title": "Summer"})
    assert "Summer" in text(editor.get(first.get_absolute_url()))
    do(editor, "remove", [first], album="Summer")
    assert links(editor.get(f"/albums/{album.pk}/")) == addresses([second])
    editor.post(f"/albums/{album.pk}/delete/")
    assert not Album.objects.exists()
    assert Image.objects.count() == 3


def test_a_selection_put_into_an_album_without_a_name_makes_none(editor):
    assert "Enter the title" in text(do(editor, "album", [add(1)]))
    assert not Album.objects.exists()


def test_selected_pictures_get_tags_beside_those_they_have(editor):
    old, new, other = add(1, tags=["old"]), add(2), add(3)
    do(editor, "tag", [old, new], tags="Beach, Sea")
    assert {tag.name for tag in old.tags.all()} == {"old", "beach", "sea"}
    assert {tag.name for tag in new.tags.all()} == {"beach", "sea"}
    assert not other.tags.exists()


def test_selected_pictures_go_into_the_trash(editor):
    gone, kept = add(1), add(2)
    page = text(do(editor, "trash", [gone]))
    assert "to the trash" in page
    assert [one.pk for one in Image.objects.all()] == [kept.pk]
    assert Image.everything.count() == 2
    editor.post("/restore/", {"undo": re.search(r'name="undo" value="([^"]+)"', page)[1]})
    assert Image.objects.count() == 2


def test_anyone_downloads_a_selection_as_one_zip(client):
    pictures = [add(1, "A/b: c"), add(2, "A/b: c")]
    add(3)
    answer = client.post("/selection/", {"do": "download", "ids": [one.pk for one in pictures]})
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert sorted(archive.namelist()) == [f"{one.pk} A-b- c.jpg" for one in pictures]
    for one in pictures:
        assert len(archive.read(f"{one.pk} A-b- c.jpg")) == one.bytes


def test_a_zip_that_is_too_large_is_refused(client, monkeypatch):
    monkeypatch.setattr(zip_download, "LARGEST_ZIP", 100)
    assert "Select fewer" in text(do(client, "download", [add(1)]))


def test_who_may_not_change_pictures_does_not_change_them(client):
    picture = add(1)
    for what in ("tag", "album", "remove", "trash"):
        form = {"do": what, "ids": [picture.pk], "tags": "x", "album": "x"}
        assert client.post("/selection/", form)["Location"].startswith("/login/")
    client.force_login(User.objects.create_user("reader"))
    for what in ("tag", "album", "remove", "trash"):
        form = {"do": what, "ids": [picture.pk], "tags": "x", "album": "x"}
        assert client.post("/selection/", form).status_code == 403
    assert client.post("/albums/", {"title": "x"}).status_code == 403
    assert not Tag.objects.exists()
    assert not Album.objects.exists()
    assert Image.objects.exists()


@pytest.mark.parametrize("ids", [[], ["x"], ["-1"], [str(2**70)]])
def test_an_empty_selection_is_told(client, ids):
    answer = client.post("/selection/", {"do": "download", "ids": ids}, follow=True)
    assert "Select pictures first" in text(answer)


def test_after_a_selection_nobody_is_led_elsewhere(client):
    answer = client.post("/selection/", {"do": "", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"


def test_selecting_needs_no_script(client):
    picture = add(1)
    page = text(client.get("/?select=1"))
    assert re.search(rf'type="checkbox" name="ids" value="{picture.pk}"', page)
    assert 'value="download"' in page
    assert 'value="trash"' not in page
    assert 'type="checkbox"' not in text(client.get("/"))


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("newest", [4, 3, 2, 1]), ("oldest", [1, 2, 3, 4]), ("title", [3, 1, 4, 2]), ("size", [2, 4, 1, 3])],
)
def test_pictures_come_in_the_order_that_is_asked_for(client, sort, expected):
    made = {}
    for number, title, size in ((1, "boat", 60), (2, "Dog", 300), (3, "Apple", 40), (4, "cat", 120)):
        made[number] = add(number, title, size=(size, size))
    assert links(client.get(f"/?sort={sort}")) == [made[number].get_absolute_url() for number in expected]
    assert client.get(f"/api/images/?sort={sort}").json()["results"][0]["id"] == made[expected[0]].pk


def test_titles_are_sorted_as_people_do_in_every_alphabet(client):
    titles = ["яхта", "Ёлка", "Éclair", "ель", "Йод", "Икра", "Zebra", "ecru", "Кот", "ежевика"]
    made = {title: add(seed, title) for seed, title in enumerate(titles)}
    expected = ["Éclair", "ecru", "Zebra", "ежевика", "Ёлка", "ель", "Икра", "Йод", "Кот", "яхта"]
    assert links(client.get("/?sort=title")) == addresses(made[title] for title in expected)
    update_image(image=made["Кот"], title="Аист")
    assert links(client.get("/?sort=title"))[3] == made["Кот"].get_absolute_url()


def test_pictures_of_before_get_what_titles_are_sorted_by():
    picture = add(1, "Ёлка")
    Image.objects.update(title_key="")
    import_module("gallery.migrations.0003_title_key").fill(apps, None)
    picture.refresh_from_db()
    assert picture.title_key == "елка"


@pytest.mark.parametrize(("sort", "index"), [("title", "image_by_title"), ("size", "image_by_size")])
def test_every_page_of_an_order_is_read_from_its_index(sort, index):
    for seed in range(4):
        add(seed, f"Title {seed % 2}")
    with CaptureQueriesContext(connection) as first:
        following = page_of(images(), size=1, sort=sort).next
    with CaptureQueriesContext(connection) as later:
        page_of(images(), following, size=2, sort=sort)
    asked = [each["sql"] for each in (*first, *later) if "ORDER BY" in each["sql"] and "gallery_tag" not in each["sql"]]
    assert len(asked) == 3
    plans = [plan_of(sql) for sql in asked]
    assert all(index in plan for plan in plans), plans
    assert not any("TEMP B-TREE" in plan or "Sort  " in plan for plan in plans), plans
    assert all("SEARCH" in plan or "Index Cond" in plan for plan in plans[1:]), plans


@pytest.mark.parametrize("sort", ["newest", "oldest", "title", "size"])
def test_every_order_shows_every_picture_once(client, sort):
    for seed in range(PAGE_SIZE + 3):
        add(seed, f"Title {seed % 5}")
    first = client.get(f"/?sort={sort}")
    following = re.search(r'rel="next" href="([^"]+)"', text(first))[1].replace("&amp;", "&")
    second = client.get("/" + following)
    found = links(first) + links(second)
    assert len(found) == len(set(found)) == PAGE_SIZE + 3


@pytest.mark.parametrize("page", ["after-", "after-x", "after-WzEsMl0", "after-WyJhIiwgImIiXQ", "after-W10", "1e5"])
def test_a_place_that_no_page_gave_is_not_found(client, page):
    assert client.get(f"/?sort=title&page={page}").status_code == 404
    assert client.get(f"/api/images/?sort=title&page={page}").status_code == 404


def test_tags_are_counted_without_what_is_in_the_trash(editor):
    add(1, tags=["sea"])
    add(2, tags=["sea", "boat"])
    do(editor, "trash", [add(3, tags=["sea", "gone"])])
    page = re.sub(r"<[^>]+>|\s+", " ", text(editor.get("/tags/")))
    assert re.search(r"sea +2 ", page)
    assert "gone" not in page
    named = text(editor.get("/tags/?sort=name"))
    assert named.index("?tag=boat") < named.index("?tag=sea")


def test_albums_are_counted_without_what_is_in_the_trash(editor):
    kept, gone = add(1), add(2)
    do(editor, "album", [kept, gone], album="Both")
    do(editor, "trash", [gone])
    page = text(editor.get("/albums/"))
    assert "1 picture<" in page
    assert kept.thumbnail_url() in page


def test_titles_of_albums_are_text_never_markup(editor):
    picture = add(1)
    do(editor, "album", [picture], album="<script>alert(1)</script>")
    album = Album.objects.get()
    for page in ("/albums/", f"/albums/{album.pk}/", f"/albums/{album.pk}/?select=1", picture.get_absolute_url()):
        assert "<script>alert" not in text(editor.get(page))


@pytest.mark.parametrize(("quick", "counted_anew"), [(60.0, True), (0.0, False)])
def test_counts_are_kept_only_where_counting_takes_long(client, monkeypatch, quick, counted_anew):
    monkeypatch.setattr("gallery.web.counting.SLOW", quick)
    monkeypatch.setattr("gallery.web.counting.AGE", 1e9)
    add(1, tags=["cat"])
    assert "cat" in text(client.get("/tags/"))
    add(2, tags=["dog"])
    assert ("dog" in text(client.get("/tags/"))) == counted_anew
    cache.clear()
    assert "dog" in text(client.get("/tags/"))


def test_a_tag_s_pages_go_on_in_every_order(client, monkeypatch):
    monkeypatch.setattr("gallery.web.paging.page_of.__defaults__", ("", 2))
    added = [add(seed, title=f"{seed % 2}", tags=["odd" if seed % 2 else "even"]).pk for seed in range(1, 8)]
    by_order = {"newest": added[::-2], "oldest": added[::2], "title": added[::-2], "size": None}
    for order, expected in by_order.items():
        page, found = f"/api/images/?tag=odd&sort={order}", []
        while page:
            answer = client.get(page).json()
            found += [one["id"] for one in answer["results"]]
            page = answer["next"]
        assert sorted(found) == added[::2]
        assert expected is None or found == expected
