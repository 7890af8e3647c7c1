from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from jsonschema import Draft202012Validator

from search.methods import METHODS
from search.models import Feature, Space
from tests.support.api import add, error_of, holder, picture, writer

pytestmark = pytest.mark.django_db


@pytest.fixture
def images(worker) -> list[dict[str, Any]]:
    """Four pictures that can be found, the last of them the first one's mirror image."""
    uploader = writer()
    found = [add(uploader, seed, title=f"Picture {seed}", tags=["some", "any"]) for seed in range(4)]
    worker()
    return found


def similar(client: Client, image: dict[str, Any], **how: Any) -> Any:
    return client.get(f"/api/images/{image['id']}/similar/", how)


def by_file(client: Client, seed: int, **how: Any) -> Any:
    return client.post("/api/search/image/", {"file": picture(seed), **how})


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [found["image"]["id"] for found in answer.json()["results"]]


@pytest.mark.parametrize("method", ["all", *METHODS])
def test_an_uploaded_picture_finds_itself_first(client: Client, images, method: str) -> None:
    answer = by_file(client, 2, method=method).json()
    assert answer["method"] == method
    assert answer["skipped"] == {}
    assert answer["took_ms"] > 0
    best = answer["results"][0]
    assert set(best) == {"image", "score", "distance", "methods"}
    assert best["image"] == client.get(f"/api/images/{images[2]['id']}/").json()
    assert best["score"] == pytest.approx(1)
    assert set(best["methods"]) == (set(METHODS) if method == "all" else {method})
    assert all(set(one) == {"rank", "distance"} and one["rank"] == 1 for one in best["methods"].values())


@pytest.mark.parametrize("method", METHODS)
def test_similar_leaves_out_the_picture_itself_and_is_in_order(client: Client, images, method: str) -> None:
    answer = similar(client, images[0], method=method)
    assert sorted(ids(answer)) == [image["id"] for image in images[1:]]
    distances = [found["distance"] for found in answer.json()["results"]]
    assert distances == sorted(distances)


def test_the_limit_is_kept(client: Client, images) -> None:
    assert len(ids(similar(client, images[0], method="color", limit=2))) == 2
    assert len(ids(by_file(client, 0, method="color", limit=1))) == 1


@pytest.mark.parametrize("limit", ["0", "-1", "101", "x", "1e9"])
def test_a_limit_out_of_bounds_is_refused(client: Client, images, limit: str) -> None:
    assert list(error_of(similar(client, images[0], limit=limit), 400)["fields"]) == ["limit"]
    assert list(error_of(by_file(client, 0, limit=limit), 400)["fields"]) == ["limit"]


def test_an_unknown_method_is_answered_with_the_choices(client: Client, images) -> None:
    for answer in (similar(client, images[0], method="smell"), by_file(client, 0, method="smell")):
        error = error_of(answer, 400)
        assert all(name in error["fields"]["method"][0] for name in ("smell", "all", *METHODS))


def test_a_picture_that_is_not_worked_on_yet_says_so(client: Client) -> None:
    answer = similar(client, add(writer())).json()
    assert answer["results"] == []
    assert set(answer["skipped"]) == set(METHODS)


def test_a_part_of_a_picture_is_searched_for(client: Client, images) -> None:
    whole = by_file(client, 1, method="color", region="0,0,1,1").json()["results"][0]
    part = by_file(client, 1, method="color", region="0.25,0.25,0.5,0.5").json()["results"][0]
    assert whole["distance"] < part["distance"]
    for region in ("1,1", "0,0,2,2", "nan,0,1,1", "0,0,0,0", "a,b,c,d"):
        assert list(error_of(by_file(client, 1, region=region), 400)["fields"]) == ["region"]


def test_a_part_of_a_stored_picture_is_searched_for(client: Client, images) -> None:
    left = similar(client, images[0], method="color", region="0,0,0.5,1").json()
    whole = similar(client, images[0], method="color").json()
    assert images[0]["id"] not in [one["image"]["id"] for one in left["results"]]
    assert [one["distance"] for one in left["results"]] != [one["distance"] for one in whole["results"]]
    assert list(error_of(similar(client, images[0], region="2,0,1,1"), 400)["fields"]) == ["region"]


def test_a_search_needs_exactly_one_picture(client: Client) -> None:
    error_of(client.post("/api/search/image/", {}), 400)
    error_of(by_file(client, 1, url="https://example.org/a.jpg"), 400)
    assert list(error_of(client.post("/api/search/image/", {"url": "no url"}), 400)["fields"]) == ["url"]


def test_what_is_no_picture_is_told_under_its_field(client: Client) -> None:
    file = picture()
    file.file.truncate(300)
    assert list(error_of(client.post("/api/search/image/", {"file": file}), 400)["fields"]) == ["file"]


def test_a_private_address_is_not_fetched(client: Client) -> None:
    error = error_of(client.post("/api/search/image/", {"url": "http://127.0.0.1:1/a.jpg"}), 400)
    assert error["code"] == "fetch_failed"
    assert list(error["fields"]) == ["url"]


def test_words_find_what_means_them(client: Client, images) -> None:
    answer = client.get("/api/search/text/?q=a+red+boat&limit=3").json()
    assert (answer["method"], answer["skipped"]) == ("semantic", {})
    assert len(answer["results"]) == 3
    scores = [found["score"] for found in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert [found["methods"]["semantic"]["rank"] for found in answer["results"]] == [1, 2, 3]
    everything = client.get("/api/search/text/?q=a+red+boat&limit=3&method=all")
    assert ids(everything) == [found["image"]["id"] for found in answer["results"]]


def test_words_are_answered_honestly_where_there_is_no_text_model(client: Client, settings, tmp_path) -> None:
    settings.MODELS_ROOT = tmp_path / "models"
    answer = client.get("/api/search/text/?q=a+red+boat").json()
    assert (answer["method"], answer["results"]) == ("semantic", [])
    assert "fetch_models" in answer["skipped"]["semantic"]


@pytest.mark.parametrize(
    "query", ["", "?q=", "?q=%20", "?q=%00", f"?q={1001 * 'x'}", "?q=x&limit=0", "?q=x&limit=101", "?q=x&method=phash"]
)
def test_words_that_cannot_be_asked_are_refused(client: Client, query: str) -> None:
    error_of(client.get(f"/api/search/text/{query}"), 400)


def test_spaces_tell_what_is_done_and_what_is_not(client: Client, worker) -> None:
    uploader = writer()
    for seed in range(3):
        add(uploader, seed)
    waiting = client.get("/api/spaces/").json()
    assert waiting["next"] is None
    assert [space["space"] for space in waiting["results"]] == list(METHODS)
    assert all((space["count"], space["pending"], space["snapshot"]) == (0, 3, None) for space in waiting["results"])
    worker()
    for space in client.get("/api/spaces/").json()["results"]:
        assert set(space) == {"space", "method", "version", "index", "count", "pending", "tail", "snapshot", "bytes"}
        assert (space["count"], space["pending"]) == (3, 0)
        stored = Feature.objects.filter(space=space["space"]).values_list("data", flat=True)
        assert space["bytes"] == sum(map(len, stored))
        known = space["snapshot"]["sequence"] if space["snapshot"] else 0
        assert space["tail"] == Space.objects.get(pk=space["space"]).head - known


def test_reindexing_answers_with_a_job_that_gets_done(client: Client, images, worker) -> None:
    staff = holder(is_staff=True)
    answer = staff.post("/api/reindex/", {"spaces": ["color"], "force": True}, content_type="application/json")
    assert answer.status_code == 202
    job = answer.json()
    assert set(job) == {"id", "state", "stage", "done", "total", "error", "spaces", "force", "created_at", "url"}
    assert (job["state"], job["spaces"], job["force"]) == ("queued", ["color"], True)
    worker()
    job = staff.get(job["url"]).json()
    assert (job["state"], job["done"], job["total"], job["error"]) == ("done", 4, 4, "")
    color = next(one for one in client.get("/api/spaces/").json()["results"] if one["space"] == "color")
    assert (color["tail"], color["snapshot"]["count"], color["snapshot"]["problem"]) == (0, 4, "")


def test_reindexing_without_a_body_is_for_all_spaces() -> None:
    job = holder(is_staff=True).post("/api/reindex/").json()
    assert (job["spaces"], job["force"]) == (list(METHODS), False)


@pytest.mark.parametrize("spaces", [["smell"], "color", [["color"]], [{}], 5])
def test_reindexing_unknown_spaces_is_refused(spaces: object) -> None:
    answer = holder(is_staff=True).post("/api/reindex/", {"spaces": spaces}, content_type="application/json")
    assert list(error_of(answer, 400)["fields"]) == ["spaces"]


def test_only_staff_reindex_and_see_jobs(client: Client) -> None:
    staff = holder(is_staff=True)
    url = staff.post("/api/reindex/").json()["url"]
    for stranger, status in ((client, 401), (writer(), 403)):
        error_of(stranger.post("/api/reindex/"), status)
        error_of(stranger.get(url), status)
        error_of(stranger.get("/api/jobs/999999/"), status)
    assert staff.get(url).status_code == 200
    error_of(staff.get("/api/jobs/999999/"), 404)


def test_the_schema_is_made_without_a_warning(tmp_path) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_answers_are_as_the_schema_says(client: Client, images) -> None:
    staff = holder(is_staff=True)
    answers = {
        "ImageAnswer": client.get(f"/api/images/{images[0]['id']}/"),
        "AddedAnswer": writer().post("/api/images/", {"file": picture(7)}),
        "ImageList": client.get("/api/images/"),
        "SearchAnswer": by_file(client, 1),
        "SpaceList": client.get("/api/spaces/"),
        "JobAnswer": staff.post("/api/reindex/"),
        "ErrorAnswer": client.get("/api/images/?page=x"),
    }
    with patched_settings({"OAS_VERSION": "3.1.0"}):
        components = SchemaGenerator().get_schema(request=None, public=True)["components"]
    for component in components["schemas"].values():
        if "properties" in component:
            component["additionalProperties"] = False
    for name, answer in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        Draft202012Validator(schema).validate(answer.json())


def test_the_documentation_works_under_the_content_security_policy(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    assert "<script>" not in page
    assert "<style>" not in page
    assert "/static/drf_spectacular_sidecar/" in page
    script = client.get("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")
    assert b"/api/schema/" in script.content
    assert b"/api/images/{id}/similar/" in client.get("/api/schema/").content


def test_an_impossible_address_of_a_search_is_not_found(client: Client) -> None:
    for key in ("%00", "a%0Ab", "ü"):
        error_of(client.get(f"/api/searches/{key}/"), 404)
        assert client.get(f"/search/{key}/").status_code == 404
