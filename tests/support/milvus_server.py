"""A real Milvus for tests: the server program of PyPI's milvus package, in a folder and on ports of its own."""

from __future__ import annotations

import lzma
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from search.indexes.milvus import server
from search.indexes.milvus.index import new_collection
from search.indexes.milvus.rows import Collection
from tests.support.servers import HERE, Place, free_port
from tests.support.waiting import wait_until

# Tests make many small collections; as it comes, the server takes seconds to make each searchable.
QUICK = {"proxy.timeTickInterval": 50, "common.gracefulStopTimeout": 3}
# The server ends itself if it gets no processor time for as long as its session lives; one that is started again waits
# for the former session to end.
SOONER = {"QUERYCOORD_CHECKCHANNELINTERVAL": "50", "QUERYCOORD_CHECKSEGMENTINTERVAL": "50", "COMMON_SESSION_TTL": "10"}
OTHER_PROCESSOR = "the server of PyPI's milvus is made for x86-64 Linux"


def missing_milvus() -> str:
    """Why the server cannot run here, or ""."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"{OTHER_PROCESSOR}, not {platform.machine()}"
    absent = [name for name in ("milvus", "pymilvus") if find_spec(name) is None]
    return f"not installed: {', '.join(absent)} (pip install -r requirements-dev.txt)" if absent else ""


class MilvusServer:
    """A standalone server, empty at first; it keeps folder and ports when it is killed and started again."""

    def __init__(self, settings: dict[str, int] = QUICK, place: Place = HERE, port: int = 0) -> None:
        self.place = place
        self.folder = Path(tempfile.mkdtemp(prefix="milvus"))
        self.port, self.health = port or free_port(), free_port()
        self.uri = f"http://{place.address}:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._configure(settings)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        programs = unpacked()
        surroundings = {
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self.health),
            "LD_LIBRARY_PATH": str(programs),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
            "ETCD_CONFIG_PATH": str(self.folder / "etcd.yaml"),
        }
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                [*self.place.inside, str(programs / "milvus"), "run", "standalone"],
                cwd=self.folder,
                env={**os.environ, **surroundings, **SOONER},
                stdout=output,
                stderr=output,
            )
        wait_until(self._healthy, "Milvus")
        self._try()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """The site's indexes use this server, under a name of the tests' own, and wait for it on a busy machine."""
        before, name = server._where, f"tests_{os.urandom(4).hex()}"
        patience, server.ANSWER = server.ANSWER, 20.0
        server.configure(lambda: (self.uri, name))
        yield
        server.configure(before)
        server.ANSWER = patience

    def kill(self) -> None:
        """As a power cut does it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _configure(self, settings: dict[str, int]) -> None:
        from milvus import MilvusServerConfig

        config = MilvusServerConfig(data_dir=str(self.folder))
        ports = {name: free_port() for name in config.configurable_items if name.endswith("_port")}
        config.update(**ports | {"proxy_port": self.port})
        for name, value in settings.items():
            config.set(name, value)
        config.resolve()
        self._configure_etcd(ports["etcd_port"])

    def _configure_etcd(self, port: int) -> None:
        """The etcd inside would take port 2380 for its peers, of which it has none: no two servers could run."""
        client, peer = (f"http://127.0.0.1:{number}" for number in (port, free_port()))
        lines = [
            "name: default",
            f"data-dir: {self.folder / 'data' / 'etcd.data'}",
            *(f"{name}-client-urls: {client}" for name in ("listen", "advertise")),
            *(f"{name}-peer-urls: {peer}" for name in ("listen", "initial-advertise")),
            f"initial-cluster: default={peer}",
        ]
        (self.folder / "etcd.yaml").write_text("\n".join(lines))

    def _healthy(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"Milvus ended: {(self.folder / 'output').read_text()[-2000:]}")
        with suppress(urllib.error.URLError, OSError):
            url = f"http://{self.place.address}:{self.health}/healthz"
            with urllib.request.urlopen(url, timeout=2) as answer:
                return b"OK" in answer.read()
        return False

    def _try(self) -> None:
        """Healthy is not yet at work: one collection is made, filled and searched."""
        from pymilvus import MilvusClient

        client, name = MilvusClient(self.uri, timeout=30), f"trial_{os.urandom(6).hex()}"
        client.create_collection(name, dimension=8, timeout=60)
        client.insert(name, {"id": 1, "vector": [0.5] * 8}, timeout=30)
        assert client.search(name, [[0.5] * 8], limit=1, consistency_level="Strong", timeout=30)[0]
        client.drop_collection(name)
        client.close()


class LentCollections:
    """Collections that were emptied by whoever had them."""

    def __init__(self) -> None:
        self.free: list[Collection] = []
        self.lent: list[Collection] = []

    def lend(self, space: str, version: str, metric: str, dimension: int) -> Collection:
        fit = [one for one in self.free if (one.metric, one.dimension) == (metric, dimension)]
        found = fit[0] if fit else new_collection(space, version, metric, dimension)
        self.free = [one for one in self.free if one is not found]
        self.lent.append(found)
        return found

    def take_back(self) -> None:
        for one in self.lent:
            for keys in [*one.pages(), np.array([2**63 - 1])]:  # Milvus finds the last key, but does not list it
                one.remove(keys)
        self.free += self.lent
        self.lent = []


def unpacked() -> Path:
    """The folder of the server's program and libraries, kept beside the package that brings them compressed."""
    spec = find_spec("milvus")
    assert spec is not None
    assert spec.origin is not None
    packed = Path(spec.origin).parent / "data" / "bin"
    programs = packed.with_name("unpacked")
    if not programs.is_dir():
        unfinished = Path(tempfile.mkdtemp(dir=packed.parent))
        for source in packed.glob("*.lzma"):
            with lzma.open(source) as archive, (unfinished / source.stem).open("wb") as file:
                shutil.copyfileobj(archive, file, 1 << 20)
            (unfinished / source.stem).chmod(0o755)
        unfinished.chmod(0o755)
        with suppress(OSError):  # somebody else was faster
            unfinished.rename(programs)
    return programs
