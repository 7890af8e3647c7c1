"""A CLIP small enough to be trained in a test: shapes in colours, and the words for them."""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.support.paths import ROOT

COLOURS = {
    "red": (215, 35, 30),
    "green": (30, 150, 50),
    "blue": (35, 65, 210),
    "yellow": (240, 215, 40),
    "purple": (140, 45, 160),
}
SHAPES = ("circle", "square", "triangle", "cross")
NAMES = tuple(f"{colour} {shape}" for colour, shape in product(COLOURS, SHAPES))
CAPTIONS = ("a {}", "a picture of a {}", "one {}", "the {} on paper")

SIDE, CONTEXT = 64, 16
CONFIG: dict[str, Any] = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": SIDE, "layers": 3, "width": 96, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": CONTEXT, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


def draw(name: str, chance: random.Random, side: int = SIDE) -> Image.Image:
    """A drawing of, say, "red circle", somewhere on bright paper."""
    colour, shape = name.split()
    paper = tuple(chance.randint(190, 255) for _ in range(3))
    image = Image.new("RGB", (side, side), paper)
    r = chance.uniform(0.18, 0.34) * side
    x, y = (chance.uniform(r + 2, side - r - 2) for _ in range(2))
    ink = tuple(max(0, min(255, value + chance.randint(-18, 18))) for value in COLOURS[colour])
    pen = ImageDraw.Draw(image)
    if shape == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    elif shape == "square":
        pen.rectangle((x - r, y - r, x + r, y + r), fill=ink)
    elif shape == "triangle":
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=ink)
    else:
        pen.rectangle((x - r, y - r / 3, x + r, y + r / 3), fill=ink)
        pen.rectangle((x - r / 3, y - r, x + r / 3, y + r), fill=ink)
    return image


def untrained(folder: Path, config: dict[str, Any] | None = None) -> tuple[Path, Path]:
    """Config and checkpoint of a model with random weights."""
    import open_clip

    path = folder / "shapes.json"
    path.write_text(json.dumps(config or CONFIG))
    open_clip.add_model_config(path)
    return path, _saved(open_clip.create_model(path.stem, pretrained_text=False), folder)


def trained() -> tuple[Path, Path]:
    """Config and checkpoint of a model that knows shapes and colours; trained once, and kept for later sessions."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + (ROOT / "requirements.txt").read_bytes())
    ready = ROOT / ".pytest_cache" / "clip" / digest.hexdigest()[:12]
    if not ready.is_dir():
        ready.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=ready.parent))
        train(unfinished)
        with suppress(OSError):  # another session was faster
            unfinished.rename(ready)
    return ready / "shapes.json", ready / "shapes.pt"


def train(folder: Path, steps: int = 3_000, enough: float = 0.07) -> tuple[Path, Path]:
    """Train until the loss is small, so many steps at most. Returns the model's config and its checkpoint."""
    import open_clip
    import torch

    config = folder / "shapes.json"
    config.write_text(json.dumps(CONFIG))
    torch.manual_seed(1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model only waits for a second thread
    model = open_clip.CLIP(**CONFIG)
    _teach(model, steps, enough)
    torch.set_num_threads(threads)
    return config, _saved(model, folder)


def _saved(model: Any, folder: Path) -> Path:
    """As open_clip's own training saves it."""
    import torch

    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    torch.save({"epoch": 1, "name": "shapes", "state_dict": state}, folder / "shapes.pt")
    return folder / "shapes.pt"


def _teach(model: Any, steps: int, enough: float) -> None:
    """Every step sees one new drawing of each name, so that no two rows mean the same."""
    import open_clip
    import torch

    tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT)
    tokens = [tokenizer([caption.format(name) for name in NAMES]) for caption in CAPTIONS]
    transform, loss_of = open_clip.image_transform(SIDE, is_train=False), open_clip.ClipLoss()
    model.token_embedding.weight.requires_grad_(False)
    optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-3)
    warm = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.02, total_iters=50)
    chance, recent = random.Random(1), 4.0
    for _ in range(steps):
        if recent <= enough:
            break
        pictures = torch.stack([transform(draw(name, chance, side=chance.randint(50, 200))) for name in NAMES])
        loss = loss_of(*model(pictures, chance.choice(tokens)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        warm.step()
        recent = 0.95 * recent + 0.05 * loss.item()
