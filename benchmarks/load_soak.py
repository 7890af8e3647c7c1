"""After the soak: whether every picture that was accepted is there and found, and every deleted one gone."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.load_site import HERE, Served

SEARCHED = 200  # pictures of each kind that are searched for
ALIKE = 1e-6  # the distance of two pictures that are the same to a method: here many are cut from one
PATIENCE = 180.0  # seconds for the worker to finish


def journal_of(data: Path) -> Path:
    """Where visitors note uploads and deletions, a line each."""
    return data / "journal.txt"


def check(served: Served, data: Path) -> str:
    """What was found, in a sentence; raises RuntimeError if anything is lost or came back."""
    noted: dict[str, list[int]] = {"added": [], "deleted": [], "unclear": []}
    for line in journal_of(data).read_text().splitlines():
        what, key = line.split()
        noted[what].append(int(key))
    gone = set(noted["deleted"])
    here = [key for key in noted["added"] if key not in gone | set(noted["unclear"])]
    waited = _settle(served)
    ask = _asker(served)
    lost = [key for key in here if ask(f"/api/images/{key}/")[0] != 200]
    back = [key for key in gone if ask(f"/api/images/{key}/")[0] != 404]
    if lost or back:
        raise RuntimeError(f"lost: {lost}; came back: {back}")
    some = here[:: max(1, len(here) // SEARCHED)]
    if unfound := [(key, reason) for key in some if (reason := _unfound(ask, key, gone))]:
        raise RuntimeError(f"not found: {unfound}")
    return (
        f"{len(noted['added']):,} pictures were accepted with 201 and {len(gone):,} deleted with 204. "
        f"The worker was done {waited:.0f} s after the end; each accepted one is there ({len(here):,}), each deleted "
        f"one is 404. {len(some):,} of those that are here were searched for by their files: none was nearer "
        "than itself in `phash` and `color`, and no deleted one was among the results."
    )


def _settle(served: Served) -> float:
    """Seconds until no space has work left."""
    started, ask = time.monotonic(), _asker(served)
    while any(space["pending"] for space in _spaces(ask("/api/spaces/")[1])):
        if time.monotonic() - started > PATIENCE:
            raise RuntimeError("The worker does not come to an end.")
        time.sleep(0.5)
    return time.monotonic() - started


def _spaces(answer: Any) -> list[dict[str, Any]]:
    return list(answer["results"] if isinstance(answer, dict) else answer)


def _asker(served: Served) -> Any:
    connection = HTTPConnection(HERE, served.port, timeout=120)

    def ask(address: str, file: bytes = b"") -> tuple[int, Any]:
        if file:
            head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
            kind = {"Content-Type": "multipart/form-data; boundary=cut"}
            connection.request("POST", address, head + file + b"\r\n--cut--\r\n", kind)
        else:
            connection.request("GET", address)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body.startswith((b"{", b"[")) else body

    return ask


def _unfound(ask: Any, key: int, gone: set[int]) -> str:
    """What is wrong with searches by this picture's own file; "" if nothing is."""
    address = ask(f"/api/images/{key}/")[1]["url"].partition("/media/")[2]
    file = ask(f"/media/{address}")[1]
    for method in ("phash", "color"):
        status, answer = ask(f"/api/search/image/?method={method}", file)
        distances = {one["image"]["id"]: one["distance"] for one in answer.get("results", ())}
        if distances.get(key, 1.0) > min(distances.values(), default=0.0) + ALIKE or method in answer["skipped"]:
            return f"{method}: {status} {distances} {answer.get('skipped')}"
        if gone & set(distances):
            return f"{method}: {gone & set(distances)} came back"
    return ""
