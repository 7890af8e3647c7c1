"""Pages as visitors without JavaScript get them."""

import re
from pathlib import Path

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from gallery.models import Image
from gallery.services import delete_images, update_image
from gallery.templatetags.pictures import ratio_rules
from gallery.web.paging import PAGE_SIZE
from tests.support.images import encode, scene
from tests.support.pages import add, as_editor, copy, links, text, upload

pytestmark = pytest.mark.django_db

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def editor(client):
    return as_editor(client)


def test_an_empty_gallery_says_how_to_fill_it(client):
    page = text(client.get("/"))
    assert "No pictures yet" in page
    assert "import_images" in page


def test_following_next_shows_every_picture_once(client):
    made = [add(seed).pk for seed in range(PAGE_SIZE + 3)]
    first = client.get("/")
    following = re.search(r'rel="next" href="([^"]+)"', text(first))[1]
    second = client.get("/" + following)
    assert links(first) + links(second) == [f"/images/{pk}/" for pk in reversed(made)]
    assert 'rel="next"' not in text(second)


def test_a_script_gets_the_same_pictures_without_the_page_around_them(client):
    add(1)
    response = client.get("/", headers={"HX-Request": "true"})
    assert links(response) == links(client.get("/"))
    assert "<html" not in text(response)
    assert "HX-Request" in response["Vary"]


def test_tags_and_words_narrow_the_gallery(client):
    beach = add(1, "Sunset at sea", ["beach"])
    add(2, "Sunset in town", ["town"])
    assert links(client.get("/?tag=beach")) == [beach.get_absolute_url()]
    assert links(client.get("/?q=sea+sunset")) == [beach.get_absolute_url()]
    assert "Nothing found" in text(client.get("/?q=mountain"))


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=before-x", "page=-1", "q=%00", f"q={300 * 'a'}"])
def test_a_page_that_cannot_be_is_not_found(client, query):
    response = client.get(f"/?{query}")
    assert response.status_code == 404
    assert "Go to the gallery" in text(response)


@pytest.mark.parametrize("pk", [0, 7, 2**63, 10**30])
def test_a_picture_that_is_not_there_is_not_found(client, pk):
    assert client.get(f"/images/{pk}/").status_code == 404


def test_pictures_reserve_their_place(client, worker):
    add(1, size=(300, 100))
    worker()
    page = text(client.get("/"))
    assert 'width="300" height="100"' in page
    assert 'loading="lazy"' in page
    assert "-256.webp 256w" in page


def test_a_picture_without_thumbnails_shows_the_placeholder(client):
    add(1)
    assert re.search(r'src="/static/placeholder[^"]*\.svg"', text(client.get("/")))


def test_the_style_sheet_knows_every_ratio():
    rules = ratio_rules().splitlines()
    sheet = Path(site.BASE_DIR, "static/site.css").read_text()
    assert [rule for rule in rules if rule not in sheet] == []


def test_a_picture_comes_with_its_data_neighbours_and_what_is_like_it(client, worker):
    older, picture, newer = copy(90), add(1, tags=["a b"]), copy(80)
    worker()
    page = text(client.get(picture.get_absolute_url()))
    assert "64 × 48 pixels" in page
    assert "/?tag=a%20b" in page
    assert f'rel="next" href="{older.get_absolute_url()}"' in page
    assert f'rel="prev" href="{newer.get_absolute_url()}"' in page
    similar = page[page.index('id="similar"') :]
    assert set(re.findall(r'href="(/images/\d+/)"', similar)) == {older.get_absolute_url(), newer.get_absolute_url()}


def test_each_space_has_its_tab(client, worker):
    picture = add(1)
    other = copy(40)
    worker()
    page = text(client.get(f"{picture.get_absolute_url()}?method=phash"))
    assert re.search(r'\?method=phash"\s+aria-current="true"', page)
    similar = page[page.index('id="similar"') :]
    assert other.get_absolute_url() in similar
    assert re.search(r"<strong>\d+% match</strong>", similar)
    assert "distance" in similar


def test_an_unknown_way_of_comparing_is_named(client):
    response = client.get(f"{add(1).get_absolute_url()}?method=astrology")
    assert response.status_code == 200
    assert "astrology" in text(response)


def test_a_picture_that_is_still_worked_on_says_so_and_asks_again(client):
    page = text(client.get(add(1).get_absolute_url()))
    assert "still being processed" in page
    assert "load delay:" in page


def test_gps_is_shown_only_where_the_owner_wants_it(client, settings):
    picture = add(1)
    Image.objects.update(latitude=48.85837, longitude=2.29448)
    assert "48.85837" not in text(client.get(picture.get_absolute_url()))
    settings.SHOW_GPS = True
    assert "48.85837" in text(client.get(picture.get_absolute_url()))


def test_an_upload_finds_its_copy(client, worker):
    picture, _other = add(1, size=(320, 240)), add(2, size=(320, 240))
    worker()
    query = SimpleUploadedFile("query.jpg", encode(scene(1), quality=50))
    response = client.post("/search/", {"file": query, "method": "phash"}, follow=True)
    assert response.status_code == 200
    assert links(response)[0] == picture.get_absolute_url()
    assert re.search(r'id="by-phash"[^>]* aria-current="true"', text(response))


def test_a_script_is_told_the_address_of_its_search(client, worker):
    picture = add(1)
    worker()
    response = client.post("/search/", {"file": upload(1)}, headers={"HX-Request": "true"}, follow=True)
    assert links(response)[0] == picture.get_absolute_url()
    assert response["HX-Push-Url"] == response.redirect_chain[0][0]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"file": SimpleUploadedFile("notes.txt", b"words")}, "file"),
        ({"url": "http://127.0.0.1:9/picture.jpg"}, "url"),
        ({"url": "no address"}, "url"),
        ({}, "other"),
        ({"file": SimpleUploadedFile("a.jpg", b"x"), "url": "https://example.com/a.jpg"}, "other"),
        ({"file": SimpleUploadedFile("a.jpg", b"x"), "method": "astrology"}, "method"),
    ],
)
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_what_cannot_be_searched_is_explained_beside_its_field(client, sent, field, headers):
    for value in sent.values():
        if isinstance(value, SimpleUploadedFile):
            value.seek(0)
    response = client.post("/search/", sent, headers=headers)
    assert response.status_code == 400
    assert re.search(rf'id="error-{field}"[^>]*><p[^>]*>[^<]+</p>', text(response))


def test_a_broken_space_is_admitted(client, worker, monkeypatch):
    picture, other = add(1), copy(90)
    worker()
    monkeypatch.setattr("search.methods.color.ColorHistogram.score", lambda *_: 1 / 0)
    similar = text(client.get(picture.get_absolute_url()))
    assert "<strong>Colours:</strong> This method failed" in similar
    assert other.get_absolute_url() in similar[similar.index("More like this") :]


def test_titles_and_tags_are_text_never_markup(editor, worker):
    picture, other = add(1, EVIL, [EVIL]), add(2, EVIL)
    worker()
    pages = ["/", f"/?q={EVIL}", f"/?tag={EVIL}", picture.get_absolute_url(), f"{picture.get_absolute_url()}edit/"]
    pages += [
        f"{picture.get_absolute_url()}delete/",
        f"{other.get_absolute_url()}?method={EVIL}",
        f"/login/?next={EVIL}",
    ]
    for page in pages:
        assert "<script>" not in text(editor.get(page)), page
    answer = editor.post("/add/", {"pictures": SimpleUploadedFile("<script>.jpg", b"x"), "title": EVIL})
    assert "<script>" not in text(answer)
    assert "<script>" not in text(editor.post("/search/", {"url": EVIL}))


def test_no_page_has_inline_script_or_style(editor, worker):
    picture = add(1, tags=["beach"])
    add(2)
    worker()
    own = picture.get_absolute_url()
    pages = ["/", "/?tag=beach", "/?q=none", "/search/", "/search/?q=boat", "/add/", own, "/nothing/"]
    pages += [f"{own}edit/", f"{own}delete/", f"{own}?region=0,0,1,1"]
    answers = [editor.get(page) for page in pages] + [editor.post("/search/", {"file": upload(1)}, follow=True)]
    editor.logout()
    for answer in [*answers, editor.get("/login/"), editor.get("/")]:
        page = text(answer)
        assert not re.search(r"<style|<[^>]+\s(style|on\w+)=|javascript:", page)
        assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
        assert "unsafe" not in answer["Content-Security-Policy"]


def test_a_closed_site_asks_for_a_login_everywhere(client, settings):
    picture = add(1)
    settings.PUBLIC_READING = False
    for page in ["/", "/search/", picture.get_absolute_url()]:
        assert client.get(page)["Location"].startswith("/login/"), page
    assert client.post("/search/", {"file": upload(1)})["Location"].startswith("/login/")
    assert client.get("/login/").status_code == 200
    client.force_login(User.objects.create_user("reader"))
    assert client.get("/").status_code == 200


def test_the_gallery_costs_the_same_queries_however_many_pictures(client, django_assert_max_num_queries):
    for seed in range(12):
        add(seed, tags=["one", f"tag {seed}"])
    with django_assert_max_num_queries(4):
        client.get("/")


def test_the_tags_shown_are_those_of_the_newest_pictures(client):
    gone = add(1, tags=["gone"])
    delete_images(ids=[gone.pk])
    here = add(2)
    update_image(image=here, tags=["here"])
    page = text(client.get("/"))
    assert "?tag=here" in page
    assert "?tag=gone" not in page


@pytest.mark.parametrize("template", ["400.html", "403_csrf.html", "500.html"])
def test_pages_for_bad_times_need_no_request(template):
    from django.template.loader import render_to_string

    page = render_to_string(template)
    assert "Go to the gallery" in page
    assert "{%" not in page


def test_downloads_that_visitors_ask_for_are_counted(client, monkeypatch):
    from django.core.cache import cache

    from search.web.throttles import FetchThrottle

    cache.clear()
    monkeypatch.setitem(FetchThrottle.THROTTLE_RATES, "fetch", "2/min")
    answers = [client.post("/search/", {"url": "http://127.0.0.1/a.jpg"}) for _ in range(3)]
    assert ["Too many addresses" in answer.text for answer in answers] == [False, False, True]
    cache.clear()
