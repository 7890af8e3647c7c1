"""Torch makes models and does nothing else: serving, working and importing get along without it, and never load it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command

from tests.support.images import encode, scene
from tests.support.tiny_clip import untrained
from tests.support.waiting import DEADLINE

PROGRAM = """
import json, sys
from importlib.abc import MetaPathFinder

asked = []

class Watch(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "timm", "transformers", "open_clip", "onnxscript"):
            asked.append(name)
            raise ImportError(f"{name} was imported")

sys.meta_path.insert(0, Watch())

import django
django.setup()
from django.core.management import call_command
from django.test import Client

call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
call_command("import_images", sys.argv[1], stdout=sys.stderr)
call_command("extract_features", stdout=sys.stderr)
call_command("build_index", stdout=sys.stderr)
call_command("fetch_models", stdout=sys.stderr)
from imagesite import celery, wsgi  # what a worker and a web process load; the latter warms up
from search import tasks
client = Client(SERVER_NAME="localhost")
pages = ["/", "/images/1/", "/search/?q=a+dog", "/api/spaces/"]
status = {page: client.get(page).status_code for page in pages}
text = client.get("/api/search/text/", {"q": "a dog", "method": "semantic"}).json()
with open(sys.argv[2], "rb") as file:
    image = client.post("/api/search/image/", {"file": file}).json()
versions = {space["space"]: space["version"] for space in client.get("/api/spaces/").json()["results"]}
print(json.dumps({"versions": versions, "asked": asked, "status": status, "text": text, "image": image}))
"""


def everything(data: Path, models: Path) -> Any:
    """What a whole site without torch answers, as PROGRAM prints it."""
    pictures = data / "pictures"
    pictures.mkdir()
    for seed in range(3):
        (pictures / f"{seed}.png").write_bytes(encode(scene(seed), "PNG"))
    settings = {"DJANGO_SETTINGS_MODULE": "imagesite.settings", "IMAGESITE_DATA": str(data / "site")}
    servers = ("DATABASE_URL", "CELERY_BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in servers}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pictures), str(pictures / "1.png")],
        env=environment | settings | {"MODELS_ROOT": str(models)},
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def check(answers: Any) -> None:
    assert answers["asked"] == []
    assert set(answers["status"].values()) == {200}
    assert answers["image"]["skipped"] == answers["text"]["skipped"] == {}
    assert len(answers["text"]["results"]) == 3
    assert {"neural", "semantic"} <= set(answers["image"]["results"][0]["methods"])


def test_the_site_runs_on_its_default_models_and_never_imports_torch(encoders: Path, tmp_path: Path) -> None:
    check(everything(tmp_path, encoders))


@pytest.mark.skipif(
    not all(find_spec(each) for each in ("torch", "open_clip")),
    reason="making CLIP needs PyTorch and open_clip: pip install -r requirements.txt",
)
def test_the_site_runs_on_clip_and_never_imports_torch(encoders: Path, tmp_path: Path, settings: Any) -> None:
    settings.MODELS_ROOT = tmp_path / "models"
    settings.MODELS_ROOT.mkdir()
    for path in encoders.iterdir():
        (settings.MODELS_ROOT / path.name).symlink_to(path)
    config, checkpoint = untrained(tmp_path)
    call_command(
        "fetch_models", "--checkpoint", str(checkpoint), "--model", str(config), "--name", "a-clip", verbosity=0
    )
    answers = everything(tmp_path, settings.MODELS_ROOT)
    check(answers)
    assert "a-clip@" in answers["versions"]["semantic"]
