"""The contract of an encoder: pictures, and for some kinds texts, become unit vectors of one space."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from search.encoders.folder import Folder
from search.encoders.network import Network
from search.encoders.preprocessing import Preprocessing
from search.types import Pixels

Vectors = NDArray[np.float32]


BATCH = 32  # texts that are encoded at once


class Picture(Protocol):
    """Upright sRGB pixels, and the activations of networks that have run on them."""

    @property
    def pixels(self) -> Pixels: ...

    @property
    def activations(self) -> dict[str, NDArray[np.float32]]: ...


class Encoder(ABC):
    """A loaded encoder folder. Safe to share between threads; ``key`` names the space its vectors live in."""

    kind: ClassVar[str]
    knows_words: ClassVar[bool]

    def __init__(self, folder: Folder, threads: int = 1) -> None:
        self.folder = folder
        self.threads = threads

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def key(self) -> str:
        return self.folder.key

    @property
    def meta(self) -> Any:
        return self.folder.meta

    @property
    def dimension(self) -> int:
        return int(self.meta["dimension"])

    @abstractmethod
    def encode_image(self, pictures: Sequence[Picture]) -> Vectors:
        """Unit rows ``(n, dimension)`` of pictures."""

    @abstractmethod
    def encode_text(self, texts: Sequence[str]) -> Vectors:
        """Unit rows ``(n, dimension)`` of texts; only for kinds with ``knows_words``."""

    def similarity(self, distance: float, words: bool = False) -> float:
        """Euclidean distance of two unit rows -> 0..1: 1 for the same, near 0 for unrelated ones.

        A logistic curve of the cosine; meta's ``score`` has its middle and width for two pictures, and for
        a text and a picture (``words``).
        """
        middle, width = self.meta["score"]["words" if words else "pictures"]
        cosine = 1 - distance * distance / 2
        return min(1.0, _logistic((cosine - middle) / width) / _logistic((1 - middle) / width))

    def network(self, file: str) -> Network:
        return Network(self.folder.path / file, self.folder.sha(file), self.threads)

    def arrays(self, file: str) -> dict[str, NDArray[Any]]:
        with np.load(self.folder.path / file) as stored:
            return {name: stored[name] for name in stored.files}


class ImageTower:
    """A network over pictures: runs once per picture, however many encoders share it."""

    def __init__(self, network: Network, preprocessing: Preprocessing) -> None:
        self.network = network
        self.preprocessing = preprocessing
        self.key = f"{network.sha[:16]}:{preprocessing.key}"

    def activations(self, pictures: Sequence[Picture]) -> Vectors:
        """The network's output ``(n, m)``, cached in ``Picture.activations``; few pictures at a time."""
        missing = [picture for picture in pictures if self.key not in picture.activations]
        for start in range(0, len(missing), self.network.batch):
            batch = missing[start : start + self.network.batch]
            outputs = self.network.run({"pixels": self.preprocessing.batch([each.pixels for each in batch])})
            for picture, output in zip(batch, outputs, strict=True):
                picture.activations[self.key] = output
        if not pictures:
            return np.empty((0, 0), np.float32)
        return np.stack([picture.activations[self.key] for picture in pictures])


def unit(rows: NDArray[Any]) -> Vectors:
    """Rows of length 1 as float32; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Vectors = (rows / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


def _logistic(value: float) -> float:
    return 0.5 * (1 + math.tanh(value / 2))
