"""The map: made, kept up to date, served, and what is done with a selection of its pictures."""

import csv
import io
import json
import zipfile

import numpy as np
import PIL.Image
import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.urls import reverse

from gallery.models import Album, Image
from gallery.services import delete_images, update_image
from search.exceptions import SearchError, UnknownSpace
from search.locks import alone
from search.map import build, cluster_labels, services, tiles
from search.map.codec import unpack
from search.map.models import Layout, Page, Point
from search.map.positions import browser_bytes, etag, serving, shown
from search.map.poster import LARGEST, Poster
from tests.api_clients import error_of, holder
from tests.visitors import add, as_editor, text

pytestmark = pytest.mark.django_db

SPACE = "color"


def fill(worker, count, begin=0):
    images = [add(seed, title=f"scene {seed}", tags=[f"group {seed % 3}"]) for seed in range(begin, begin + count)]
    worker()
    return images


def make(space=SPACE):
    services.advance(services.request_layout(space=space).pk)
    layout = serving(space)
    assert layout is not None
    return layout


def fresh(layout):
    return Layout.objects.get(pk=layout.pk)


def ids_on(layout):
    return set(shown(fresh(layout)).records["id"].tolist())


def place_of(layout, image):
    found = shown(fresh(layout)).records
    return found[found["id"] == image.pk][["x", "y"]].tolist()


def colour_at(layout, image):
    """Mean colour of a picture's cell on its page of the finest level."""
    now = shown(fresh(layout))
    slot = int(now.slots[now.records["id"] == image.pk][0])
    return colour_of_slot(layout, slot)


def colour_of_slot(layout, slot):
    page = Page.objects.get(layout=layout, level=128, number=slot // 64)
    left, top = tiles.cell(slot, 128)
    return np.asarray(tiles.read(page).crop((left + 8, top + 8, left + 120, top + 120))).mean(axis=(0, 1))


def test_every_picture_has_a_place_of_its_own(worker):
    images = fill(worker, 12)
    layout = make()
    found = shown(layout).records
    assert set(found["id"].tolist()) == {image.pk for image in images}
    assert len({(float(one["x"]), float(one["y"])) for one in found}) == 12
    assert (layout.state, layout.count) == (Layout.State.DONE, 12)


def test_the_pyramid_shows_each_picture_in_its_cell(worker):
    images = fill(worker, 70)
    layout = make()
    assert {page.level for page in layout.pages.all()} == {128, 64, 32, 16}
    assert layout.pages.filter(level=128).count() == 2
    for image in (images[0], images[33], images[69]):
        with default_storage.open(image.thumbnail_name(256)) as file:
            expected = np.asarray(PIL.Image.open(file).convert("RGB")).mean(axis=(0, 1))
        assert np.abs(colour_at(layout, image) - expected).max() < 14


def test_a_coarse_page_is_four_finer_ones(worker):
    fill(worker, 70)
    layout = make()
    coarse = tiles.read(Page.objects.get(layout=layout, level=64, number=0))
    fine = tiles.read(Page.objects.get(layout=layout, level=128, number=1)).resize((512, 512), PIL.Image.Resampling.BOX)
    assert np.abs(np.asarray(coarse.crop((512, 0, 1024, 512))).astype(int) - np.asarray(fine)).mean() < 8


@pytest.mark.parametrize("level", tiles.LEVELS)
def test_cells_cover_a_page_without_overlap(level):
    cells = {tiles.cell(slot, level) for slot in range(tiles.slots_of(level))}
    assert cells == {(x, y) for x in range(0, 1024, level) for y in range(0, 1024, level)}


def test_a_new_picture_is_placed_and_nothing_else_moves(worker):
    fill(worker, 10)
    layout = make()
    before = shown(layout).records
    [new] = fill(worker, 1, begin=50)
    assert new.pk not in ids_on(layout)
    services.catch_up(SPACE)
    after = shown(fresh(layout)).records
    assert np.array_equal(after[np.isin(after["id"], before["id"])], before)
    assert new.pk in ids_on(layout)
    apart = np.hypot(before["x"] - place_of(layout, new)[0][0], before["y"] - place_of(layout, new)[0][1])
    assert 0.8 < apart.min() < 5
    assert colour_at(layout, new).std() >= 0


def test_a_copy_is_placed_beside_what_it_copies(worker):
    images = fill(worker, 30)
    layout = make()
    from tests.visitors import copy

    twin = copy(40)
    worker()
    services.catch_up(SPACE)
    found = shown(fresh(layout)).records
    [place] = place_of(layout, twin)
    others = found[found["id"] != twin.pk]
    near = others["id"][np.argsort(np.hypot(others["x"] - place[0], others["y"] - place[1]))[:6]]
    assert images[1].pk in near


def test_a_deleted_picture_is_gone_at_once_and_its_cell_is_wiped(worker):
    images = fill(worker, 8)
    layout = make()
    now = shown(layout)
    slot = int(now.slots[now.records["id"] == images[3].pk][0])
    old_files = {tiles.file_name(page) for page in layout.pages.all()}
    tag = etag(layout)
    delete_images(ids=[images[3].pk])
    assert images[3].pk not in ids_on(layout)
    assert etag(fresh(layout)) != tag
    services.catch_up(SPACE)
    assert images[3].pk not in ids_on(layout)
    assert colour_of_slot(layout, slot).max() < 12
    assert not any(default_storage.exists(name) for name in old_files)


def test_a_picture_that_was_placed_later_can_go_too(worker):
    fill(worker, 8)
    layout = make()
    [new] = fill(worker, 1, begin=60)
    services.catch_up(SPACE)
    delete_images(ids=[new.pk])
    assert new.pk not in ids_on(layout)
    services.catch_up(SPACE)
    [newer] = fill(worker, 1, begin=61)
    services.catch_up(SPACE)
    slots = shown(fresh(layout)).slots
    assert newer.pk in ids_on(layout)
    assert len(set(slots.tolist())) == len(slots)


def test_what_comes_back_has_its_old_place(worker):
    from gallery.services import restore_images, trash_images

    images = fill(worker, 8)
    layout = make()
    place = place_of(layout, images[2])
    trash_images(ids=[images[2].pk])
    services.catch_up(SPACE)
    assert images[2].pk not in ids_on(layout)
    restore_images(ids=[images[2].pk])
    worker()
    services.catch_up(SPACE)
    assert place_of(layout, images[2]) == place


def test_catching_up_twice_changes_nothing(worker):
    fill(worker, 8)
    layout = make()
    fill(worker, 2, begin=70)
    services.catch_up(SPACE)
    before, tag, digests = shown(fresh(layout)).records, etag(fresh(layout)), list(layout.pages.values_list("digest"))
    services.catch_up(SPACE)
    assert np.array_equal(shown(fresh(layout)).records, before)
    assert etag(fresh(layout)) == tag
    assert list(layout.pages.values_list("digest")) == digests


def test_the_old_map_serves_until_the_new_one_is_ready(worker, monkeypatch):
    fill(worker, 8)
    old = make()
    new = services.request_layout(space=SPACE)
    seen = []
    draw = tiles.draw

    def watched(layout, progress):
        seen.append(serving(SPACE).pk)
        return draw(layout, progress)

    monkeypatch.setattr(build.pages, "draw", watched)
    services.advance(new.pk)
    assert seen == [old.pk]
    assert serving(SPACE).pk == new.pk


def test_a_map_goes_on_where_a_killed_worker_left_it(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)

    def dies(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build.pages, "draw", dies)
        with pytest.raises(KeyboardInterrupt):
            services.advance(layout.pk)
    places = fresh(layout).places
    assert fresh(layout).state == Layout.State.RUNNING
    monkeypatch.setattr(build, "lay_out", dies)  # it has its places; only the pages are missing
    services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.DONE
    assert fresh(layout).places == places


def test_a_map_that_kills_its_worker_is_given_up(worker, monkeypatch):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)
    monkeypatch.setattr(build, "make", lambda layout: (_ for _ in ()).throw(KeyboardInterrupt))
    for _ in range(services.MAX_TRIES):
        with pytest.raises(KeyboardInterrupt):
            services.advance(layout.pk)
    services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.FAILED
    assert "died" in fresh(layout).error


def test_while_one_works_another_leaves_it_alone(worker):
    fill(worker, 8)
    layout = services.request_layout(space=SPACE)
    with alone(services.lock_of(SPACE)) as free:
        assert free
        services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.QUEUED
    services.advance(layout.pk)
    assert fresh(layout).state == Layout.State.DONE


def test_asking_twice_makes_one_map(worker):
    fill(worker, 8)
    assert services.request_layout(space=SPACE) == services.request_layout(space=SPACE)


def test_a_space_without_distances_in_the_plane_has_no_map():
    with pytest.raises(SearchError, match="no map"):
        services.request_layout(space="phash")
    with pytest.raises(UnknownSpace):
        services.request_layout(space="nonsense")


def test_a_first_map_is_made_by_itself(worker, django_capture_on_commit_callbacks):
    fill(worker, services.FEWEST)
    with django_capture_on_commit_callbacks(execute=True):
        services.sweep()
    assert [layout.space for layout in services.mapped()] == services.mappable()[:1]


def test_a_map_that_most_pictures_came_to_later_is_made_again(worker, django_capture_on_commit_callbacks):
    fill(worker, 4)
    old = make()
    fill(worker, 4, begin=20)
    services.catch_up(SPACE)
    with django_capture_on_commit_callbacks(execute=True):
        services.sweep()
    assert serving(SPACE).pk > old.pk
    assert serving(SPACE).count == 8


def test_only_the_last_two_maps_are_kept(worker):
    fill(worker, 5)
    first = make()
    files = [tiles.file_name(page) for page in first.pages.all()]
    make()
    make()
    assert Layout.objects.count() == services.KEPT
    assert not any(default_storage.exists(name) for name in files)


def test_a_lost_page_is_drawn_again(client, worker):
    fill(worker, 5)
    layout = make()
    page = Page.objects.get(layout=layout, level=64)
    default_storage.delete(tiles.file_name(page))
    address = reverse("atlas:page", args=[layout.pk, 64, 0, page.digest])
    assert client.get(address).status_code == 404
    services.catch_up(SPACE)
    assert client.get(address).status_code == 200


def test_groups_are_named_by_what_sets_them_apart(worker):
    random = np.random.default_rng(0)
    images = [add(seed, tags=["everything", "cats" if seed < 10 else "dogs"]) for seed in range(20)]
    places = random.normal(size=(20, 2)) + np.array([[0, 0]] * 10 + [[60, 0]] * 10)
    found = cluster_labels.labels(np.array([image.pk for image in images]), places)
    coarse = {label["text"]: label for label in found if label["level"] == 0}
    assert set(coarse) == {"cats", "dogs"}
    assert coarse["cats"]["x"] < 10 < 50 < coarse["dogs"]["x"]


def test_a_word_that_few_have_names_nothing():
    words = {key: {"rare"} if key == 0 else set() for key in range(10)} | {key: {"other"} for key in range(10, 20)}
    nothing = cluster_labels.name_groups([list(range(10))], words, lambda groups: [""])
    seen = cluster_labels.name_groups([list(range(10)), list(range(10, 20))], words, lambda groups: ["ship", "ship"])
    assert nothing == [""]
    assert seen == ["ship", "other"]


# Pages and what they load


def test_the_page_without_script_shows_the_whole_and_a_way_to_the_gallery(client, worker):
    fill(worker, 5)
    layout = make()
    page = text(client.get("/map/"))
    assert f'src="/map/{layout.pk}/overview.webp"' in page
    assert 'class="button" href="/"' in page
    picture = PIL.Image.open(io.BytesIO(b"".join(client.get(f"/map/{layout.pk}/overview.webp"))))
    assert max(picture.size) == 1600


def test_an_empty_site_says_what_a_map_needs(client, db):
    assert "needs a few pictures" in text(client.get("/map/"))


def test_while_the_first_map_is_made_the_page_says_how_far_it_is(client, worker):
    fill(worker, 5)
    layout = services.request_layout(space=SPACE)
    Layout.objects.filter(pk=layout.pk).update(stage="laying out", done=300, total=750)
    page = text(client.get("/map/"))
    assert "Laying out: 300 of 750" in page
    assert 'id="waiting"' in page


def test_places_are_sent_once(client, worker):
    fill(worker, 5)
    layout = make()
    first = client.get(f"/map/{layout.pk}/places/")
    assert first.content == browser_bytes(layout)
    again = client.get(f"/map/{layout.pk}/places/", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    delete_images(ids=[Image.objects.first().pk])
    changed = client.get(f"/map/{layout.pk}/places/", headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert len(changed.content) == len(first.content) - 16


def test_the_api_lists_maps_with_all_that_a_viewer_needs(client, worker):
    fill(worker, 5)
    layout = make()
    [found] = client.get("/api/map/").json()["results"]
    assert (found["id"], found["space"], found["count"]) == (layout.pk, SPACE, 5)
    for address in (found["places_url"], found["overview_url"], *(one[0] for one in found["pages"].values())):
        assert client.get(address).status_code == 200
    page = client.get(found["pages"]["128"][0])
    assert page["Cache-Control"] == "public, max-age=31536000, immutable"


def test_an_old_address_of_a_page_gives_the_new_page_but_not_for_ever(client, worker):
    fill(worker, 5)
    layout = make()
    answer = client.get(f"/map/{layout.pk}/128/0-{'0' * 16}.webp")
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-cache"


def test_small_copies_come_from_the_site_itself(client, worker):
    [image] = fill(worker, 1)
    assert b"".join(client.get(f"/map/pictures/{image.pk}-256.webp"))[8:12] == b"WEBP"
    assert client.get(f"/map/pictures/{image.pk}-300.webp").status_code == 404
    assert client.get("/map/pictures/999-256.webp").status_code == 404


def test_a_closed_site_shows_no_map_to_strangers(client, worker, settings):
    fill(worker, 5)
    layout = make()
    settings.PUBLIC_READING = False
    page = Page.objects.filter(layout=layout).first()
    for address in (
        "/map/",
        f"/map/{layout.pk}/places/",
        f"/map/{layout.pk}/overview.webp",
        f"/map/{layout.pk}/{page.level}/0-{page.digest}.webp",
        "/map/pictures/1-256.webp",
    ):
        assert client.get(address).status_code == 302, address
    assert client.get("/api/map/").status_code == 401
    answer = as_editor(client).get(f"/map/{layout.pk}/{page.level}/0-{page.digest}.webp")
    assert answer["Cache-Control"].startswith("private")


# Jobs


def test_staff_start_a_map_by_the_api_and_see_how_far_it_is(worker, django_capture_on_commit_callbacks):
    fill(worker, 5)
    staff = holder(is_staff=True)
    with django_capture_on_commit_callbacks(execute=True):
        started = staff.post("/api/map/", {"space": SPACE}, content_type="application/json")
    assert started.status_code == 202
    assert staff.get(started.json()["url"]).json()["state"] == "done"
    assert error_of(staff.post("/api/map/", {"space": "phash"}), 400)["code"] == "no_map"


def test_others_may_not_start_a_map(client):
    error_of(client.post("/api/map/", {"space": SPACE}), 401)
    error_of(holder("change_image").post("/api/map/", {"space": SPACE}), 403)
    error_of(client.get("/api/map/1/"), 401)


def test_a_map_that_cannot_be_made_says_why(worker, monkeypatch):
    from search.map import tasks

    fill(worker, 5)
    layout = services.request_layout(space=SPACE)
    monkeypatch.setattr(build, "lay_out", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tasks.advance(layout.pk)
    assert fresh(layout).state == Layout.State.FAILED
    assert "ZeroDivisionError" in fresh(layout).error


def test_the_admin_starts_maps_and_gives_the_poster(admin_client, worker, django_capture_on_commit_callbacks):
    fill(worker, 5)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post("/admin/atlas/layout/new/", {"space": SPACE})
    listing = text(admin_client.get("/admin/atlas/layout/"))
    assert "done" in listing
    layout = serving(SPACE)
    poster = b"".join(admin_client.get(f"/admin/atlas/layout/{layout.pk}/map.png?size=300"))
    assert max(PIL.Image.open(io.BytesIO(poster)).size) == 300


def test_the_poster_is_for_staff(client, worker):
    fill(worker, 5)
    assert as_editor(client).get(f"/admin/atlas/layout/{make().pk}/map.png").status_code == 302


# The poster


def test_the_command_writes_the_whole_map(tmp_path, worker):
    images = fill(worker, 6)
    file = tmp_path / "map.png"
    call_command("export_map", str(file), space=SPACE, size=700, make=True, verbosity=0)
    picture = PIL.Image.open(file)
    assert max(picture.size) == 700
    poster = Poster(serving(SPACE), 700)
    now = shown(serving(SPACE)).records
    [at] = np.flatnonzero(now["id"] == images[2].pk)
    x, y = ((now[axis][at] - poster.low[i]) * poster.unit for i, axis in enumerate("xy"))
    with default_storage.open(images[2].thumbnail_name(256)) as thumbnail:
        expected = np.asarray(PIL.Image.open(thumbnail).convert("RGB")).mean(axis=(0, 1))
    half = poster.unit * 0.25
    box = tuple(round(value) for value in (x - half, y - half, x + half, y + half))
    assert np.abs(np.asarray(picture.crop(box)).mean(axis=(0, 1)) - expected).max() < 40


def test_the_command_needs_a_map_and_a_size_within_bounds(tmp_path, worker):
    fill(worker, 5)
    with pytest.raises(CommandError, match="--make"):
        call_command("export_map", str(tmp_path / "map.png"), space=SPACE, verbosity=0)
    make()
    with pytest.raises(CommandError, match=str(LARGEST)):
        call_command("export_map", str(tmp_path / "map.png"), space=SPACE, size=LARGEST + 1, verbosity=0)


def test_the_largest_poster_is_never_held_whole(worker):
    fill(worker, 5)
    strips = Poster(make(), LARGEST).strips()
    assert next(strips).shape[0] <= 256


# Selections


def test_tags_are_added_to_those_that_there_are(client, worker):
    images = fill(worker, 3)
    answer = as_editor(client).post("/map/tag/", {"ids": f"{images[0].pk},{images[1].pk},999", "tags": "Sea, blue"})
    assert answer.json() == {"message": "Tagged: 2 pictures."}
    assert {tag.name for tag in images[0].tags.all()} == {"group 0", "sea", "blue"}
    assert {tag.name for tag in images[2].tags.all()} == {"group 2"}


def test_an_album_is_found_by_its_title_or_made(admin_client, worker):
    images = fill(worker, 3)
    for chosen in (images[:2], images[1:]):
        ids = ",".join(str(image.pk) for image in chosen)
        assert admin_client.post("/map/album/", {"ids": ids, "title": "Summer"}).status_code == 200
    [album] = Album.objects.all()
    assert album.images.count() == 3


@pytest.mark.parametrize("address", ["/map/tag/", "/map/album/"])
def test_writing_needs_permission(client, worker, address):
    [image] = fill(worker, 1)
    assert client.post(address, {"ids": image.pk, "tags": "x", "title": "x"}).status_code == 403
    assert not Album.objects.exists()


@pytest.mark.parametrize("address", ["/map/tag/", "/map/album/", "/map/export/", "/map/alike/"])
def test_what_changes_or_costs_needs_this_sites_own_form(worker, address):
    from django.test import Client

    assert Client(enforce_csrf_checks=True).post(address, {"ids": "1"}).status_code == 403


@pytest.mark.parametrize("ids", ["", "1,x", "-1", "1;2", "9" * 30])
def test_ids_that_are_none_are_refused(client, ids, db):
    assert client.post("/map/export/", {"ids": ids, "format": "csv"}).status_code == 400


def test_a_selection_can_be_taken_along(client, worker):
    images = fill(worker, 3)
    update_image(image=images[0], title="=1+1")
    ids = ",".join(str(image.pk) for image in images[:2])

    def sent(name):
        return b"".join(client.post("/map/export/", {"ids": ids, "format": name}))

    rows = json.loads(sent("json"))
    assert [row["id"] for row in rows] == [image.pk for image in images[:2]]
    assert rows[1]["tags"] == ["group 1"]
    lines = list(csv.DictReader(io.StringIO(sent("csv").decode())))
    assert [line["sha256"] for line in lines] == [image.sha256 for image in images[:2]]
    assert lines[0]["title"] == "'=1+1"
    archive = zipfile.ZipFile(io.BytesIO(sent("zip")))
    assert archive.testzip() is None
    with default_storage.open(images[1].file_name) as original:
        assert archive.read(f"{images[1].pk} scene 1.jpg") == original.read()


def test_a_zip_that_is_too_large_is_refused(client, worker, monkeypatch):
    [image] = fill(worker, 1)
    monkeypatch.setattr("gallery.selection.LARGEST_ZIP", 10)
    assert client.post("/map/export/", {"ids": image.pk, "format": "zip"}).status_code == 400


def test_the_mean_of_copies_finds_the_one_that_is_left(client, worker):
    from tests.visitors import copy

    images = fill(worker, 12)
    copies = [copy(quality) for quality in (30, 50, 70)]
    worker()
    ids = ",".join(str(image.pk) for image in copies)
    page = text(client.post("/map/alike/", {"ids": ids, "space": SPACE}))
    shown_ids = [line.split("/")[0] for line in page.split('href="/images/')[1:]]
    assert shown_ids[0] == str(images[1].pk)
    assert not {str(image.pk) for image in copies} & set(shown_ids)


@pytest.mark.parametrize("space", ["phash", "nonsense"])
def test_a_mean_is_asked_of_spaces_that_have_one(client, worker, space):
    [image] = fill(worker, 1)
    answer = client.post("/map/alike/", {"ids": image.pk, "space": space})
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_searches_by_a_mean_are_counted_with_the_others(client, worker, monkeypatch):
    from search.map.views import SearchThrottle

    [image] = fill(worker, 1)
    monkeypatch.setattr(SearchThrottle, "THROTTLE_RATES", {"search": "1/min"})
    statuses = [client.post("/map/alike/", {"ids": image.pk, "space": SPACE}).status_code for _ in range(2)]
    assert statuses == [200, 429]


def test_stored_places_are_whole_records(worker):
    fill(worker, 4)
    layout = make()
    assert len(unpack(fresh(layout).places)) == 4
    assert not Point.objects.exists()
