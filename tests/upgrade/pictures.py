"""What a site is filled with: photographs where they are, else drawings; and copies of some."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tests.support.images import encode, scene
from tests.support.paths import SHARED_DATA

ORIGINALS = 168
COPIED = 8  # pictures that are there four times more


def write_pictures(folder: Path) -> None:
    """``first``: 200 pictures; ``tail``: 4 that no snapshot will have; ``queued``: 4 that wait for a worker."""
    for name, begin, count in (("first", 0, ORIGINALS), ("tail", 1_000, 4), ("queued", 2_000, 4)):
        (folder / name).mkdir(parents=True)
        for seed in range(begin, begin + count):
            (folder / name / f"{seed:04}.jpg").write_bytes(encode(scene(seed, (320, 240)), quality=90))
    for path, photograph in zip(sorted((folder / "first").iterdir()), photographs(), strict=False):
        path.write_bytes(photograph.read_bytes())
    for path in islice(sorted((folder / "first").iterdir()), COPIED):
        write_copies(path)


def photographs() -> list[Path]:
    found = sorted((SHARED_DATA / "caltech").rglob("*.jpg"))
    return found[:: max(1, len(found) // ORIGINALS)][:ORIGINALS]


def write_copies(path: Path) -> None:
    picture = Image.open(path).convert("RGB")
    copies = {
        "recompressed": encode(picture, quality=40),
        "resized": encode(picture.resize((picture.width * 2 // 3, picture.height * 2 // 3)), quality=90),
        "mirrored": encode(ImageOps.mirror(picture), quality=90),
        "brighter": encode(np.clip(np.asarray(picture, float) * 1.08, 0, 255).astype(np.uint8), quality=90),
    }
    for name, data in copies.items():
        path.with_name(f"{path.stem} {name}.jpg").write_bytes(data)
