"""Making an image encoder from torchvision or timm: the network with its classifier cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from search.encoders import calibration
from search.encoders.base import unit
from search.encoders.export import compare, needed, write_onnx
from search.encoders.folder import Folder, Meta, write_folder
from search.encoders.image import NETWORK
from search.encoders.image_source import LARGEST, TIMM, Source, from_timm, from_torchvision
from search.types import Progress

# The first weights: the second were trained with smoothed labels, which transfer worse (Kornblith et al. 2021).
SHORT_NAMES = {"resnet50": "torchvision:resnet50/IMAGENET1K_V1"}


def make(name: str, root: Path, progress: Progress) -> Folder:
    """``timm:NAME``, ``torchvision:NAME/WEIGHTS`` or ``resnet50``, each also with ``-max`` at its end."""
    return _made(name, root, progress, name, None, {"asked": name})


def make_from_file(
    checkpoint: Path, model: str, root: Path, progress: Progress, *, name: str = "", licence: str = ""
) -> Folder:
    """The same with weights (a state_dict) from this machine."""
    extra = {"licence": licence} if licence else {}
    return _made(name or f"{model}-{checkpoint.stem}", root, progress, model, checkpoint, extra)


def _made(name: str, root: Path, progress: Progress, model: str, checkpoint: Path | None, extra: Meta) -> Folder:
    base = model.removesuffix(LARGEST)
    full = SHORT_NAMES.get(base, base)
    load = from_timm if full.startswith(TIMM) else from_torchvision

    def fill(work: Path) -> Meta:
        source = load(full, model.endswith(LARGEST), checkpoint)
        return {**_converted(source, work), **extra}

    (folder,) = progress((write_folder(root, name, fill) for _ in range(1)), 1, f"Converting {model}")
    return folder


def _converted(source: Source, work: Path) -> dict[str, Any]:
    window, network = source.preprocessing, source.network.eval()
    noise = np.random.default_rng(0).standard_normal((2, 3, window.height, window.width), np.float32)
    inputs = window.batch(calibration.photographs()) if calibration.photographs() else noise
    path = work / NETWORK
    write_onnx(network, needed("torch").from_numpy(inputs[:2]), "pixels", path, source.weights_sha256)
    features = unit(compare(network, path, "pixels", inputs))
    return {
        "label": f"{source.origin}, {features.shape[1]:,} numbers",
        "kind": "image",
        "origin": source.origin,
        "weights_sha256": source.weights_sha256,
        "licence": source.licence,
        "dimension": int(features.shape[1]),
        "words": False,
        "preprocessing": window.as_meta(),
        "score": {"pictures": calibration.against_each_other(features)},
    }
