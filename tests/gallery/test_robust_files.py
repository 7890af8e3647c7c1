"""632 odd, broken and hostile files, each decoded in a process of its own that may crash, hang or swell."""

import csv
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SECONDS = 10
KILOBYTES = 1024 * 1024

WORKER = """
import json, pathlib, sys
from gallery.decoding import decode
from gallery.exceptions import ImageRejected
for line in sys.stdin:
    try:
        decoded = decode(pathlib.Path(line.rstrip("\\n")).read_bytes())
        outcome = {"status": "ok", "format": decoded.format, "frames": decoded.frames}
        outcome |= {"size": sorted((decoded.width, decoded.height)), "shape": decoded.pixels.shape}
    except ImageRejected as error:
        outcome = {"status": "error", "code": error.code}
    peak = pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(json.dumps(outcome | {"peak": int(peak)}), flush=True)
"""


class Worker:
    """Decodes one file at a time in another process, and gets a new one after a crash or a hang."""

    def __init__(self) -> None:
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def outcome(self, path: Path) -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        timer = threading.Timer(SECONDS, self.process.kill)
        timer.start()
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        timer.cancel()
        if answer:
            found: dict[str, object] = json.loads(answer)
            return found
        self.close()
        code = self.process.returncode
        self.process = self._start()
        return {"status": f"died ({code}; -9 is a hang)", "peak": 0}

    def close(self) -> None:
        self.process.communicate()


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, object]]:
    """File -> what became of it, decoded once for all tests of this module."""
    from tests.support.paths import SHARED_DATA

    worker = Worker()
    files = sorted(path for path in (SHARED_DATA / "robust").rglob("*") if path.is_file())
    found = {path.relative_to(SHARED_DATA).as_posix(): worker.outcome(path) for path in files}
    worker.close()
    return found


@pytest.fixture
def expected(shared_data: Path) -> dict[str, dict[str, str]]:
    with (shared_data / "robust_expected_pillow.csv").open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_all_of_them_are_tried(shared_data: Path, outcomes: dict[str, dict[str, object]]) -> None:
    assert len(outcomes) == 632


def test_none_crashes_hangs_or_raises_another_error(shared_data: Path, outcomes: dict[str, dict[str, object]]) -> None:
    assert {name: found for name, found in outcomes.items() if found["status"] not in ("ok", "error")} == {}


def test_none_needs_a_gigabyte(shared_data: Path, outcomes: dict[str, dict[str, object]]) -> None:
    assert max(int(str(found["peak"])) for found in outcomes.values()) < KILOBYTES


def test_what_pillow_alone_decodes_is_decoded(
    expected: dict[str, dict[str, str]], outcomes: dict[str, dict[str, object]]
) -> None:
    decodable = {name for name, row in expected.items() if row["status"] == "ok"}
    decoded = {name for name, found in outcomes.items() if found["status"] == "ok"}
    assert not decodable - decoded


def test_what_is_decoded_has_the_format_size_and_frames_that_pillow_tells(
    expected: dict[str, dict[str, str]], outcomes: dict[str, dict[str, object]]
) -> None:
    for name, row in expected.items():
        found = outcomes[name]
        if row["status"] == found["status"] == "ok":
            told = (row["format"], int(row["frames"]), sorted((int(row["w"]), int(row["h"]))))
            assert (found["format"], found["frames"], found["size"]) == told, name


def test_every_rejection_has_a_stable_code(shared_data: Path, outcomes: dict[str, dict[str, object]]) -> None:
    codes = {found["code"] for found in outcomes.values() if found["status"] == "error"}
    assert codes <= {"empty", "too_many_pixels", "too_many_frames", "not_an_image", "damaged", "unsupported"}
