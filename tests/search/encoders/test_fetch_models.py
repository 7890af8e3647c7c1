"""manage.py fetch_models: what it makes, what it says, and what it says when it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from PIL import Image

from search.encoders import DEFAULTS, ENCODERS, load
from search.encoders.base import unit
from search.encoders.folder import read_folder
from search.methods.base import Picture
from tests.support.images import scene
from tests.support.tiny_clip import untrained
from tests.support.waiting import DEADLINE

needs_torch = pytest.mark.skipif(
    not all(find_spec(each) for each in ("torch", "torchvision", "timm", "open_clip")),
    reason="needs PyTorch and open_clip: pip install -r requirements.txt",
)
SIZES = ((500, 333), (333, 500), (224, 224), (31, 200), (1000, 170), (257, 255))

CURES = {
    "open_clip:ViT-B-32/laion2b_s34b_b79k": "--checkpoint FILE --model clip:ViT-B-32:laion2b_s34b_b79k",
    "clip:hf-hub:owner/repository": "--checkpoint FOLDER",
    "resnet50": "--checkpoint FILE --model torchvision:resnet50/IMAGENET1K_V1",
    "timm:resnet18": "--checkpoint FILE --model timm:resnet18",
}

# A machine that can look up no name, whose caches are empty; it tells for how long it would have waited.
NO_NETWORK = """
import atexit, socket, sys, time
def nowhere(*_, **__): raise socket.gaierror(-2, "Name or service not known")
socket.getaddrinfo = nowhere
waits = []
time.sleep = waits.append
atexit.register(lambda: print(f"waited {sum(waits)}", flush=True))
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "fetch_models", *sys.argv[1:]])
"""


@pytest.fixture
def models(settings: Any, tmp_path: Path) -> Path:
    settings.MODELS_ROOT = tmp_path / "models"
    return tmp_path / "models"


def fetch(*arguments: str) -> str:
    out = StringIO()
    call_command("fetch_models", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as refusal:
        fetch(*arguments)
    return str(refusal.value)


def test_the_defaults_are_here_and_are_used(encoders: Path, settings: Any) -> None:
    settings.MODELS_ROOT = encoders
    out = fetch()
    assert all(f"{name}: installed" in out for name in DEFAULTS)
    assert "Used by “Same subject”" in out
    assert "Used by “Similar content”" in out
    assert "256 numbers" in out
    assert "Apache-2.0" in out


def test_the_list_tells_what_is_here_and_what_there_is(encoders: Path, settings: Any) -> None:
    settings.MODELS_ROOT = encoders
    here, _, there = fetch("--list").partition("Can be installed by name:")
    assert all(name in here for name in DEFAULTS)
    assert all(name in there for name in ENCODERS if name not in DEFAULTS)


def test_a_damaged_model_is_made_again(models: Path) -> None:
    fetch("efficientnet-lite0")
    before = read_folder(models, "efficientnet-lite0")
    network = before.path / "image.onnx"
    network.write_bytes(network.read_bytes()[:-100])
    assert "is damaged" in fetch("--list")
    out = fetch("efficientnet-lite0")
    assert "is damaged (image.onnx changed on disk). It is made again." in out
    assert read_folder(models, "efficientnet-lite0").hash == before.hash


def test_an_unknown_name_is_answered_with_those_there_are(models: Path) -> None:
    assert all(name in refused("nonsense") for name in ENCODERS)


def test_one_bad_name_does_not_stop_the_others(models: Path) -> None:
    with pytest.raises(CommandError, match="nonsense"):
        fetch("nonsense", "efficientnet-lite0")
    assert read_folder(models, "efficientnet-lite0").meta["dimension"] == 256


@needs_torch
def test_without_a_network_it_says_at_once_what_to_do_instead(tmp_path: Path) -> None:
    settings = {"DJANGO_SETTINGS_MODULE": "imagesite.settings", "IMAGESITE_DATA": str(tmp_path)}
    caches = {"HF_HOME": str(tmp_path / "hub"), "TORCH_HOME": str(tmp_path / "torch")}
    run = subprocess.run(
        [sys.executable, "-c", NO_NETWORK, *CURES],
        env=os.environ | settings | caches | {"MODELS_ROOT": str(tmp_path / "models")},
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    said = run.stderr.strip().splitlines()[-len(CURES) :]
    for line, cure in zip(said, CURES.values(), strict=True):
        assert "is out of reach" in line
        assert "on another machine" in line
        assert cure in line
    assert "waited 0\n" in run.stdout, "it tries again and again"


@needs_torch
def test_names_that_open_clip_and_timm_do_not_know_are_answered_with_near_ones(models: Path) -> None:
    assert "ViT-B-32" in refused("clip:ViT-B-33:openai")
    assert "laion2b_s34b_b79k" in refused("clip:ViT-B-32:laion")
    assert "resnet50" in refused("timm:resnet51")


@needs_torch
def test_a_checkpoint_of_another_model_is_refused(models: Path, tmp_path: Path) -> None:
    _, checkpoint = untrained(tmp_path)
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(b"no weights at all")
    for file in (checkpoint, noise):
        for model in ("clip:ViT-S-32", "resnet50", "timm:resnet18"):
            assert "does not hold weights of" in refused("--checkpoint", str(file), "--model", model)
    assert "There is no file" in refused("--checkpoint", str(tmp_path / "none.pt"), "--model", "clip:ViT-B-32")
    assert "needs its architecture" in refused("--checkpoint", str(checkpoint))
    assert "is no model config" in refused("--checkpoint", str(checkpoint), "--model", str(_written(tmp_path)))
    assert list(models.glob("*")) == []


def _written(folder: Path) -> Path:
    path = folder / "other.json"
    path.write_text(json.dumps({"hidden_size": 3}))
    return path


@needs_torch
def test_a_clip_checkpoint_with_its_own_config_becomes_an_encoder(models: Path, tmp_path: Path) -> None:
    config, checkpoint = untrained(tmp_path)
    options = ("--checkpoint", str(checkpoint), "--model", str(config), "--licence", "CC0")
    out = fetch(*options, "--name", "mine")
    assert "mine: made; 48 numbers" in out
    assert "licence: CC0" in out
    assert "Used by “Similar content”" in out
    encoder = load(models, "mine")
    assert (encoder.knows_words, encoder.dimension, encoder.meta["licence"]) == (True, 48, "CC0")
    assert fetch(*options, "--name", "mine").count("made") == 1
    assert load(models, "mine").key == encoder.key, "the same weights make the same space"


@needs_torch
@pytest.mark.parametrize("name", ["resnet50", "resnet50-max", "timm:test_vit"])
def test_an_image_network_sees_what_the_original_sees(name: str, models: Path, tmp_path: Path) -> None:
    import torch

    network, transform, pooled = _original(name)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    fetch("--checkpoint", str(tmp_path / "weights.pth"), "--model", name, "--name", "mine")
    encoder = load(models, "mine")
    pictures = [Picture(scene(sum(size), size)) for size in SIZES]
    batch = torch.stack([transform(Image.fromarray(each.pixels)) for each in pictures])
    with torch.no_grad():
        expected = pooled(batch).numpy()
    assert encoder.dimension == expected.shape[1]
    assert (encoder.encode_image(pictures) * unit(expected)).sum(axis=1).min() >= 0.9999
    assert np.array_equal(encoder.image_tower.preprocessing.batch([each.pixels for each in pictures]), batch.numpy())


def _original(name: str) -> tuple[Any, Any, Any]:
    """The library's own network with random weights, its transform, and its pooled features."""
    import timm
    import torch
    import torchvision

    torch.manual_seed(3)
    if name.startswith("timm:"):
        network = timm.create_model(name.removeprefix("timm:"), pretrained=False).eval()
        transform = timm.data.create_transform(**timm.data.resolve_data_config({}, model=network))
        return network, transform, lambda batch: network.forward_head(network.forward_features(batch), pre_logits=True)
    network = torchvision.models.resnet50(weights=None).eval()
    maps = torch.nn.Sequential(*list(network.children())[:-2])
    pool = torch.amax if name.endswith("-max") else torch.mean
    transform = torchvision.models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    return network, transform, lambda batch: pool(maps(batch), dim=(2, 3))


def test_without_torch_it_names_the_command_that_installs_it(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("torch", "torchvision", "torchvision.models", "timm", "open_clip"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("resnet50", "timm:resnet18", "clip:ViT-B-32:openai"):
        said = refused(name)
        assert f"{sys.executable} -m pip install -r requirements.txt" in said
        assert "running models does not" in said
    assert (django_settings.BASE_DIR / "requirements.txt").is_file()
