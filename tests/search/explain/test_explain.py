"""Why a picture was found: what each space says, as page and as API."""

import re
from urllib.parse import urlsplit

import numpy as np
import pytest

from gallery.services import add_image
from search.kernels.dihedral import Dihedral
from search.methods import METHODS, get_method
from search.methods.base import Comparison
from tests.support.api import error_of
from tests.support.images import encode, scene
from tests.support.pages import add, copy, text, upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def pictures(worker):
    """A picture, its copy in other bytes, and others."""
    found = [add(1), copy(60), *(add(seed) for seed in range(2, 6))]
    worker()
    return found


def explained(client, image, **query):
    answer = client.get(f"/api/images/{image.pk}/explain/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_copy_is_explained_by_its_bits_and_colours(client, pictures):
    query, found = pictures[:2]
    why = explained(client, found, query=query.pk)
    bits = why["methods"]["phash"]
    assert why["image"]["id"] == found.pk
    assert bits["distance"] == bits["shown"]["differing"] < 20
    assert bits["shown"]["form"] == "as it is"
    assert bits["nearer"] == 1
    differing = np.array([list(row) for row in bits["shown"]["query"]]) != [list(row) for row in bits["shown"]["image"]]
    assert differing.sum() == bits["distance"]
    assert why["methods"]["color"]["shown"]["shared"] > 0.8


def test_what_is_explained_is_what_the_search_said(client, pictures):
    query, found = pictures[:2]
    hits = client.get(f"/api/images/{query.pk}/similar/").json()["results"]
    said = next(hit["methods"] for hit in hits if hit["image"]["id"] == found.pk)
    why = explained(client, found, query=query.pk)["methods"]
    assert {space: one["distance"] for space, one in said.items()} == pytest.approx(
        {space: why[space]["distance"] for space in said}
    )


def test_an_uploaded_query_is_explained_by_its_search(client, pictures):
    search = client.post("/api/search/image/", {"file": upload(1)}).json()["search"]
    assert explained(client, pictures[0], search=search["id"])["methods"]["phash"]["distance"] == 0
    client.delete(urlsplit(search["url"]).path)
    error_of(client.get(f"/api/images/{pictures[0].pk}/explain/", {"search": search["id"]}), 404)


@pytest.mark.parametrize("query", [{}, {"query": 1, "q": "x"}, {"query": "x"}, {"query": 1, "region": "7"}])
def test_a_query_that_is_not_one_is_refused(client, pictures, query):
    address = f"{pictures[1].get_absolute_url()}why/"
    error_of(client.get(f"/api/images/{pictures[1].pk}/explain/", query), 400)
    page = client.get(address, query)
    assert page.status_code == 400
    assert 'class="error"' in text(page)


def test_what_is_not_here_is_not_found(client, pictures):
    error_of(client.get("/api/images/999999/explain/?query=1"), 404)
    error_of(client.get(f"/api/images/{pictures[0].pk}/explain/?query=999999"), 404)
    assert client.get(f"/images/{pictures[0].pk}/why/?search=gone").status_code == 404


def test_the_page_draws_bits_and_histograms(client, pictures):
    query, found = pictures[:2]
    page = text(client.get(f"{found.get_absolute_url()}why/?query={query.pk}"))
    assert "Differences" in page
    assert page.count("<svg viewBox") == 5
    assert re.search(r'<path class="ink" d="M\d', page)
    assert not re.search(r"\sstyle=|<style", page)


def test_every_result_links_to_its_reasons(client, pictures):
    query, found = pictures[:2]
    page = text(client.get(query.get_absolute_url()))
    assert f'href="{found.get_absolute_url()}why/?query={query.pk}"' in page
    address = client.post("/search/", {"file": upload(1)})["Location"]
    key = address.split("/")[2]
    link = f"{found.get_absolute_url()}why/?search={key}"
    assert link in text(client.get(address))
    assert client.get(link).status_code == 200


def test_a_part_is_explained_as_a_part(client, pictures):
    whole = explained(client, pictures[0], query=pictures[1].pk)
    part = explained(client, pictures[0], query=pictures[1].pk, region="0,0,0.5,0.5")
    assert part["methods"]["color"]["distance"] > whole["methods"]["color"]["distance"]
    assert set(part["methods"]) <= set(METHODS)


@pytest.mark.parametrize("transform", Dihedral)
def test_a_turned_picture_says_how_the_query_was_turned_back(transform):
    method = get_method("phash")
    pixels = scene(3)
    query = method.extract(np.ascontiguousarray(transform.apply(pixels)))
    sizes = ((1, 1), (1, 1))
    pair = Comparison(method.queries(query), query, method.extract(pixels), *sizes, lambda: None, lambda: pixels)
    assert method.evidence(pair)["form"] == transform.inverse


@pytest.mark.parametrize(
    "transform, name",
    [
        (Dihedral.IDENTITY, "as it is"),
        (Dihedral.FLIP_LEFT_RIGHT, "mirrored"),
        (Dihedral.ROTATE_180, "turned by 180°"),
        (Dihedral.ROTATE_90, "turned by 90° to the right"),
        (Dihedral.ROTATE_270, "turned by 90° to the left"),
    ],
)
def test_programs_are_told_how_the_query_was_turned_back(client, worker, transform, name):
    pixels = scene(3)
    found = add_image(data=encode(pixels)).image
    query = add_image(data=encode(np.ascontiguousarray(transform.apply(pixels))[:, :, :], quality=90)).image
    worker()
    assert explained(client, found, query=query.pk)["methods"]["phash"]["shown"]["form"] == name


def test_points_that_match_are_joined(client, worker):
    whole = scene(5, (900, 600))
    found = add_image(data=encode(whole)).image
    query = add_image(data=encode(np.ascontiguousarray(whole[150:450, 300:750]))).image
    worker()
    shown = explained(client, found, query=query.pk)["methods"]["local"]["shown"]
    assert shown["outline"] == pytest.approx(np.array([[1, 1], [2.5, 1], [2.5, 3], [1, 3]]) / [3, 4], abs=0.02)
    assert (shown["mirrored"], shown["inside"]) == (False, pytest.approx(1, abs=0.02))
    assert shown["covered"] == pytest.approx(0.25, abs=0.02)
    assert shown["scale"] == pytest.approx(1, abs=0.02)
    pairs = np.array(shown["pairs"])
    assert len(pairs) >= 15
    apart = np.abs(pairs[:, 2:] - (pairs[:, :2] * 0.5 + [1 / 3, 1 / 4]))
    assert np.median(apart) < 0.002
    assert apart.max() < 0.05
    page = text(client.get(f"{found.get_absolute_url()}why/?query={query.pk}"))
    assert page.count("<line ") == len(pairs)
    page = text(client.get(f"{query.get_absolute_url()}why/?query={found.pk}"))
    left, top, width, height = (float(n) for n in re.search(r'class="matches" viewBox="([^"]+)"', page)[1].split())
    outline = re.search(r'class="outline" d="([^"]+)"', page)[1]
    points = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", outline), float)
    assert points[:, 1].min() < -40
    assert points[:, 1].max() > 140
    assert ((points > [left, top]) & (points < [left + width, top + height])).all()
