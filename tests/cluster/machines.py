"""What runs on the machines: the servers, and the site as docs/deploy.md has it on many machines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from imagesite.webserver import web_command
from tests.cluster.network import Machine, add_machine
from tests.support.default_encoders import folder as encoders
from tests.support.milvus_server import MilvusServer
from tests.support.paths import ROOT
from tests.support.s3_server import S3Server
from tests.support.servers import Postgres, Redis, free_port

NAMES = ("web1", "web2", "work1", "work2", "postgres", "redis", "s3", "milvus")
BUCKETS = {"MEDIA": "pictures", "QUERY": "queries", "SNAPSHOT": "snapshots"}
PORT = 8000
WORKER = "--concurrency 1 --without-gossip --without-mingle"


@dataclass
class Running:
    """A command of the site on a machine; it can be killed and started again."""

    machine: Machine
    command: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.machine.place.inside, *self.command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9 for all of its processes."""
        assert self.process
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Cluster:
    """Every machine, and what runs on it."""

    folder: Path
    machines: dict[str, Machine] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    token: str = ""
    milvus_port: int = field(default_factory=free_port)

    def start(self) -> None:
        self.machines = {name: add_machine(name, number) for number, name in enumerate(NAMES, 11)}
        at = {name: machine.place for name, machine in self.machines.items()}
        self.store = S3Server(at["s3"])
        for bucket in BUCKETS.values():
            self.store.client().create_bucket(Bucket=bucket)
        self.redis, self.postgres = Redis(at["redis"]), Postgres(at["postgres"])
        self._prepare()
        for name in ("web1", "web2"):
            self._run(name, name, web_command(at[name].address, PORT, 1))
        self.milvus = MilvusServer(place=at["milvus"], port=self.milvus_port)
        quiet = ["-W", "ignore:You're running the worker with superuser privileges"]
        celery = [sys.executable, *quiet, "-m", "celery", "--quiet", "-A", "imagesite"]
        self._run("work1", "work1", [*celery, "worker", *WORKER.split()])
        self._run("work2", "work2", [*celery, "worker", *WORKER.split()])
        self._run("beat", "work2", [*celery, "beat"])

    def url(self, name: str) -> str:
        return f"http://{self.machines[name].address}:{PORT}"

    def _prepare(self) -> None:
        """What docs/deploy.md has done once before new code starts, and a token for staff."""
        self._manage("migrate", "--verbosity", "0")
        self._collect_static_files()
        made = self._manage(
            *("shell", "--no-imports", "--command"),
            "from django.contrib.auth.models import User; from rest_framework.authtoken.models import Token;"
            "print(Token.objects.create(user=User.objects.create_superuser('staff')).key)",
        )
        self.token = made.strip().splitlines()[-1]

    def _collect_static_files(self) -> None:
        """Copies of what the tests have collected, if they started this."""
        ready = Path(os.environ.get("IMAGESITE_DATA", "")) / "static"
        first, second = (self.folder / name / "static" for name in ("web1", "web2"))
        if "IMAGESITE_DATA" in os.environ and ready.is_dir():
            shutil.copytree(ready, first)
        else:
            self._manage("collectstatic", "--no-input", "--verbosity", "0")
        shutil.copytree(first, second)

    def _manage(self, *arguments: str) -> str:
        inside = self.machines["web1"].place.inside
        command = [*inside, sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment("web1"), check=True, text=True, stdout=subprocess.PIPE
        ).stdout

    def _run(self, name: str, machine: str, command: list[str]) -> None:
        log = self.folder / f"{name}.log"
        self.running[name] = Running(self.machines[machine], command, self.environment(machine), log)
        self.running[name].start()

    def environment(self, machine: str) -> dict[str, str]:
        """All that differs from a site on one machine."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        redis = self.redis.url.rpartition("/")[0]
        return {
            **kept,
            **self._storages(),
            "IMAGESITE_DATA": str(self.folder / machine),
            "MODELS_ROOT": str(encoders()),
            "SECRET_KEY": "the same on all machines of the tests",
            "ALLOWED_HOSTS": "*",
            "DATABASE_URL": self.postgres.url,
            "CELERY_BROKER_URL": f"{redis}/0",
            "CACHE_URL": f"rediscache://{redis.rpartition('/')[2]}/1",
            "INDEX_BACKEND": "milvus",
            "MILVUS_URI": f"http://{self.machines['milvus'].address}:{self.milvus_port}",
            "SPACE_INDEXES": "color=hnsw",
            "SNAPSHOT_TAIL": "20",
            "SWEEP_SECONDS": "2",
            "TASK_LOST_SECONDS": "15",
        }

    def _storages(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for kind, bucket in BUCKETS.items():
            found[f"{kind}_STORAGE"] = "storages.backends.s3.S3Storage"
            found[f"{kind}_STORAGE_OPTIONS"] = json.dumps({"bucket_name": bucket, **self.store.options})
        return found

    def tails(self, lines: int = 40) -> str:
        """The end of every log, for who looks for a fault."""
        found = [(path.name, path.read_text(errors="replace").splitlines()) for path in self.folder.glob("*.log")]
        return "\n".join(f"--- {name}\n" + "\n".join(text[-lines:]) for name, text in sorted(found))
