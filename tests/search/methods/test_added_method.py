"""A method is one file and one line: with the example of CONTRIBUTING.md added, it is everywhere."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from gallery.models import Image
from search.jobs import reindexing
from search.map.services import mappable
from search.methods import METHODS, get_method, method_class
from search.models import Feature, Snapshot
from tests.support.examples import line, written
from tests.support.pages import add, text, upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the added method."""
    monkeypatch.syspath_prepend(tmp_path)
    name, _, path = line(written("search/methods", tmp_path))
    monkeypatch.setitem(METHODS, name, path)
    return name


@pytest.fixture
def pictures(space: str, worker: Callable[[], None]) -> list[Image]:
    found = [add(seed) for seed in range(3)]
    reindexing.start_job(spaces=[])
    worker()
    return found


def test_its_features_are_extracted_and_its_index_is_built(space: str, pictures: list[Image]) -> None:
    assert Feature.objects.filter(space=space, version=get_method(space).version).count() == 3
    assert Snapshot.objects.get(space=space).count == 3


def test_it_is_among_the_spaces_of_the_api(client: Client, space: str, pictures: list[Image]) -> None:
    (row,) = [row for row in client.get("/api/spaces/").json()["results"] if row["space"] == space]
    assert (row["method"], row["version"], row["index"]) == ("average-colour", "1", "hnsw")
    assert (row["count"], row["pending"], row["tail"], row["snapshot"]["count"]) == (3, 0, 0, 3)


def test_it_answers_searches_alone_and_with_the_others(client: Client, space: str, pictures: list[Image]) -> None:
    similar = client.get(f"/api/images/{pictures[0].pk}/similar/", {"method": space}).json()
    assert (similar["method"], similar["skipped"]) == (space, {})
    assert {hit["image"]["id"] for hit in similar["results"]} == {pictures[1].pk, pictures[2].pk}
    uploaded = client.post("/api/search/image/", {"file": upload(1), "method": space}).json()
    assert uploaded["results"][0]["image"]["id"] == pictures[1].pk
    fused = client.post("/api/search/image/", {"file": upload(1)}).json()
    assert fused["results"][0]["methods"][space]["rank"] == 1
    why = client.get(f"/api/images/{pictures[1].pk}/explain/", {"query": pictures[0].pk}).json()
    assert why["methods"][space]["shown"] == {}


def test_the_schema_and_error_messages_name_it(client: Client, space: str) -> None:
    schema = client.get("/api/schema/", {"format": "json"}).json()
    parameters = schema["paths"]["/api/images/{id}/similar/"]["get"]["parameters"]
    (method,) = [parameter for parameter in parameters if parameter["name"] == "method"]
    assert space in method["schema"]["enum"]
    uploaded = schema["components"]["schemas"]["PictureQueryRequest"]["properties"]["method"]
    assert space in str(uploaded) or space in str(schema["components"]["schemas"])
    refused = client.get("/api/search/text/", {"q": "x", "method": "smell"}).json()["error"]
    assert space in str(refused["fields"]["method"])


def test_pages_have_a_tab_for_it_and_say_what_it_finds(client: Client, space: str, pictures: list[Image]) -> None:
    label = method_class(space).label
    for address, tab in ((f"/images/{pictures[0].pk}/", f"?method={space}"), ("/search/", f'value="{space}"')):
        page = text(client.get(address))
        assert label in page
        assert tab in page
    assert label in text(client.get(f"/images/{pictures[0].pk}/why/", {"query": pictures[1].pk}))
    help_page = text(client.get("/help/"))
    assert all(part in help_page for part in (label, method_class(space).summary, method_class(space).limits))


def test_the_admin_lists_it(admin_client: Client, space: str, pictures: list[Image]) -> None:
    assert method_class(space).label in text(admin_client.get("/admin/search/space/"))


def test_commands_and_the_map_take_it(space: str, pictures: list[Image]) -> None:
    out = StringIO()
    call_command("build_index", space=space, stdout=out)
    call_command("check_index", space=space, stdout=out)
    assert f"{space}: is up to date." in out.getvalue()
    assert f"{space}: recall@10 1.000" in out.getvalue()
    assert space in mappable()
