"""Run by the code of either side of an upgrade, see proof.py: fills a site, or says what is in it.

Uses only what upgrades promise to keep: commands, addresses, JSON, tables of the database, and the data folder.
``fill PICTURES`` makes a site of the pictures in a folder; ``look KEY`` prints what it is, as
JSON on the last line. KEY: of the search that ``fill`` has left.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client

HOST = {"headers": {"host": "localhost"}}
MAPPED = "color"
SAMPLE = 8  # every so manyeth picture is searched by
# Tables that change when somebody migrates, logs in, or opens a search again.
CHANGING = {
    "auth_permission",
    "auth_user",
    "django_content_type",
    "django_migrations",
    "django_session",
    "queries_kept",
}
COLUMNS = settings.DATA / "columns.json"  # table -> its columns when the site was filled; later ones do not count
FEATURES = "SELECT space_id, image_id, version, sequence, stale, data FROM search_feature ORDER BY space_id, image_id"


def query(sql: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        yield from cursor.fetchall()


def columns_of(table: str) -> list[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_table_description(cursor, table)
    return [connection.ops.quote_name(column.name) for column in found]


def digest(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def visitor() -> Client:
    return Client(**HOST)


def owner() -> Client:
    client = visitor()
    client.force_login(User.objects.get(username="owner"))
    return client


def send(client: Client, address: str, expected: int = 200, **data: Any) -> Any:
    answer = client.post(address, data)
    assert answer.status_code == expected, (address, answer.status_code, answer.content[:2_000])
    return answer


def get(client: Client, address: str) -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code, answer.content[:2_000])
    return answer


def command(*arguments: str) -> None:
    call_command(*arguments, stdout=StringIO())


# Filling


def fill(pictures: Path) -> dict[str, Any]:
    """A site that has been in use: everything is stored, changed and decided; work is queued that nobody has done."""
    command("migrate", "--verbosity=0")
    tables = set(connection.introspection.table_names()) - CHANGING
    COLUMNS.write_text(json.dumps({table: columns_of(table) for table in sorted(tables)}))
    User.objects.create_superuser("owner", password="a long enough one")
    add(pictures / "first", "first")
    command("build_index")
    arrange()
    decide()
    trash()
    add(pictures / "tail", "tail")
    command("export_map", str(settings.DATA / "map.png"), f"--space={MAPPED}", "--size=300", "--make", "--verbosity=0")
    with (pictures / "first" / "0000.jpg").open("rb") as file:
        search = send(visitor(), "/search/", 302, file=file).headers["Location"]
    return {"search": search.split("/")[2], "pending": queue_work(pictures), "tasks": task_names()}


def add(folder: Path, tag: str) -> None:
    command("import_images", str(folder), f"--tags={tag}")
    command("extract_features", "--missing")


def all_ids() -> list[int]:
    return [row[0] for row in query("SELECT id FROM gallery_image WHERE trashed_at IS NULL ORDER BY id")]


def arrange() -> None:
    """Albums and tags, as the map's selection makes them."""
    ids = all_ids()
    for title, part in (("Summer", ids[:30]), ("Winter", ids[20:60])):
        send(owner(), "/map/album/", ids=",".join(map(str, part)), title=title)
    send(owner(), "/map/tag/", ids=",".join(map(str, ids[::7])), tags="chosen, by hand")


def decide() -> None:
    """Of the groups of duplicates one picture is kept, one is none, one decision is undone, and the rest wait."""
    command("find_duplicates")
    groups = get(owner(), "/api/duplicates/").json()["results"]
    assert len(groups) > 4, "hardly any duplicates were found"
    send(owner(), f"/api/duplicates/{groups[0]['id']}/keep/", image=groups[0]["keeper"])
    send(owner(), f"/api/duplicates/{groups[1]['id']}/apart/")
    decision = send(owner(), f"/api/duplicates/{groups[2]['id']}/keep/", image=groups[2]["keeper"]).json()
    send(owner(), f"/api/duplicates/decisions/{decision['id']}/undo/")


def trash() -> None:
    *ids, gone, last = all_ids()
    for image_id in ids[-5:]:
        send(owner(), f"/images/{image_id}/delete/", 302)
    for image_id in (gone, last):
        assert owner().delete(f"/api/images/{image_id}/").status_code == 204


def queue_work(pictures: Path) -> list[int]:
    """Tasks of every kind, by their names of this version. Returns the ids of pictures that lack features."""
    from celery import current_app

    before = set(all_ids())
    command("import_images", str(pictures / "queued"))
    send(owner(), "/api/reindex/", 202, spaces="phash")
    send(owner(), "/api/map/", 202, space=MAPPED)
    send(owner(), "/api/duplicates/find/", 202)
    gone = 10**6
    arguments = {"extract": [[gone]], "build_index": [MAPPED], "catch_up": [MAPPED]}
    arguments |= {verb: [gone] for verb in ("run", "advance", "advance_job")}
    for name in task_names():
        current_app.send_task(name, arguments.get(name.rpartition(".")[2], []))
    return sorted(set(all_ids()) - before)


def task_names() -> list[str]:
    from celery import current_app

    current_app.loader.import_default_modules()
    return sorted(name for name in current_app.tasks if not name.startswith("celery."))


# Looking


def look(search: str) -> dict[str, Any]:
    """All that must be the same on both sides."""
    columns = json.loads(COLUMNS.read_text())
    rows = {table: query(f"SELECT {', '.join(names)} FROM {table} ORDER BY 1") for table, names in columns.items()}
    features = {f"{row[0]} {row[1]} {row[2]}": digest(*row) for row in query(FEATURES)}
    return {
        "tables": {name: [digest(*row) for row in found] for name, found in rows.items()},
        "features": features,
        "heads": dict(query("SELECT name, head FROM search_space")),
        "files": {str(path.relative_to(settings.DATA)): file_digest(path) for path in kept_files()},
        "answers": answers(),
        "kept search": result_of(get(visitor(), f"/api/searches/{search}/?limit=5").json()),
        "spaces": get(visitor(), "/api/spaces/").json()["results"],
        "groups": [group_of(entry) for entry in get(owner(), "/api/duplicates/").json()["results"]],
        "trash": [entry["sha256"] for entry in get(owner(), "/api/duplicates/trash/").json()["results"]],
        "maps": maps(),
        "jobs": [list(row) for row in query("SELECT id, state, error FROM search_job ORDER BY id")],
        "layouts": [list(row) for row in query("SELECT id, state, error FROM atlas_layout ORDER BY id")],
        "pending": [list(row) for row in query("SELECT image_id, error FROM search_extraction ORDER BY image_id")],
    }


def kept_files() -> list[Path]:
    folders = (settings.DATA / "snapshots", settings.DATA / "media", settings.DATA / "queries")
    return sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def answers() -> dict[str, Any]:
    """What is found by stored pictures, uploaded again, in every space; and by words."""
    client = visitor()
    spaces = [entry["space"] for entry in get(client, "/api/spaces/").json()["results"]]
    found: dict[str, Any] = {}
    rows = query("SELECT id, sha256 FROM gallery_image WHERE trashed_at IS NULL ORDER BY id")
    originals = {path.name.partition(".")[0]: path for path in (settings.DATA / "media" / "originals").rglob("*.*")}
    for image_id, sha256 in list(rows)[::SAMPLE]:
        for space in spaces:
            with originals[sha256].open("rb") as file:
                answer = send(client, "/api/search/image/", file=file, method=space, limit=5).json()
            found[f"{image_id} {space}"] = result_of(answer)
    for words in ("a boat on the water", "a face", "flowers"):
        found[words] = result_of(get(client, f"/api/search/text/?q={words}&limit=5").json())
    return found


def result_of(answer: dict[str, Any]) -> dict[str, Any]:
    hits = [[hit["image"]["id"], round(hit["distance"], 4)] for hit in answer["results"]]
    return {"hits": hits, "skipped": answer["skipped"]}


def group_of(entry: dict[str, Any]) -> list[Any]:
    return [entry["relation"], entry["keeper"], [one["image"]["id"] for one in entry["images"]]]


def maps() -> list[dict[str, Any]]:
    """Each map with the digests of what a viewer loads."""
    client, shown = visitor(), []
    for entry in get(client, "/api/map/").json()["results"]:
        places = hashlib.sha256(get(client, path_of(entry["places_url"])).content).hexdigest()
        pages = [path_of(page) for level in entry["pages"].values() for page in level]
        drawn = [hashlib.sha256(b"".join(get(client, page))).hexdigest() for page in pages]
        shown.append({"id": entry["id"], "count": entry["count"], "places": places, "pages": drawn})
    return shown


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3] if "://" in url else url


def main() -> None:
    verb, *arguments = sys.argv[1:]
    done = fill(Path(*arguments)) if verb == "fill" else look(*arguments)
    sys.stdout.write(f"\n{json.dumps(done)}\n")
