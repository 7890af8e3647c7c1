"""A whole cluster on one machine, hurt while visitors use it: see tests/cluster/__main__.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.network import NO_NAMESPACES
from tests.support.milvus_server import missing_milvus
from tests.support.paths import ROOT
from tests.support.s3_server import missing_s3
from tests.support.servers import find_program, missing_programs

APART = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]


def missing_cluster() -> str:
    """Why there can be no cluster here, or ""."""
    if reason := missing_programs() or missing_milvus() or missing_s3():
        return reason
    absent = [name for name in ("ip", "setpriv", "unshare") if not find_program(name)]
    if absent:
        return f"not installed: {', '.join(absent)} (apt-get install iproute2 util-linux)"
    trial = [*APART, "ip", "link", "add", "trial", "type", "bridge"]
    if os.getuid() or subprocess.run(trial, capture_output=True, check=False).returncode:
        return NO_NAMESPACES
    return ""


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that PostgreSQL's own user can enter too."""
    with tempfile.TemporaryDirectory(prefix="cluster-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_cluster_that_is_hurt_loses_nothing(home: Path) -> None:
    if reason := missing_cluster():
        pytest.skip(reason)
    command = [*APART, sys.executable, "-m", "tests.cluster", str(home)]
    ended = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-20_000:]
    told = json.loads((home / "report.json").read_text())
    print(json.dumps(told, indent=1))  # noqa: T201
    assert told["wrong"] == [], ended.stderr[-20_000:]
    assert told["seen"]["job"]["state"] == "done"
    assert told["deleted"] > 0
    cut_off = told["seen"]["web1 while it is cut off"]["parts"]
    assert "does not answer" in cut_off["broker"]
    assert "is not responding" in cut_off["phash"]
    assert cut_off["database"] == cut_off["local"] == "ok"
    assert set(told["phases"]["calm"]["failures"]) == set()
    assert set(told["phases"]["cut_off"]["failures"]) == set(), "without Redis and Milvus uploads and searches go on"
