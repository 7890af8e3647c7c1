"""The bundled joint space: convex combination of semantic embeddings (ConSE; Norouzi et al. 2013).

The vector of a picture is the mean of the sentence vectors of ImageNet's classes, weighted by their probabilities,
plus a share of a linear map of its features. That of a text is its sentence vector. Nothing is trained on any
collection.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import Encoder, ImageTower, Picture, Vectors, unit
from search.encoders.folder import Folder
from search.encoders.minilm import TOKENIZER, Sentences
from search.encoders.preprocessing import Preprocessing

IMAGE_NETWORK = "image.onnx"
TEXT_NETWORK = "text.onnx"
CLASSIFIER = "classifier.npz"
CLASSES = "classes.npz"


class Conse(Encoder):
    """Files: image.onnx, text.onnx, tokenizer.json, classifier.npz (weight, bias).

    And classes.npz: ``vectors`` (1000, 384) of unit length, ``linear`` (1280, 384), ``mean`` (384) of texts.
    """

    kind: ClassVar[str] = "conse"
    knows_words: ClassVar[bool] = True

    def __init__(self, folder: Folder, threads: int = 1) -> None:
        super().__init__(folder, threads)
        self.image_tower = ImageTower(self.network(IMAGE_NETWORK), Preprocessing.of_meta(self.meta["preprocessing"]))
        self.sentences = Sentences(self.network(TEXT_NETWORK), folder.path / TOKENIZER)
        classifier, classes = self.arrays(CLASSIFIER), self.arrays(CLASSES)
        self.weight, self.bias = classifier["weight"], classifier["bias"]
        self.classes, self.linear, self.mean = classes["vectors"], classes["linear"], classes["mean"]
        self.temperature, self.share = float(self.meta["temperature"]), float(self.meta["share"])

    def encode_image(self, pictures: Sequence[Picture]) -> Vectors:
        if not pictures:
            return np.empty((0, self.dimension), np.float32)
        features = self.image_tower.activations(pictures)
        logits = features @ self.weight.T + self.bias
        likely = unit(softmax(logits / self.temperature) @ self.classes)
        return unit(likely + self.share * unit(features @ self.linear))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        return unit(self.sentences.vectors(texts) - self.mean)


def softmax(values: NDArray[Any]) -> NDArray[Any]:
    """Of each row."""
    exponents = np.exp(values - values.max(axis=1, keepdims=True))
    shares: NDArray[Any] = exponents / exponents.sum(axis=1, keepdims=True)
    return shares
