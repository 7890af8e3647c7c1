"""CLIP (Radford et al. 2021): an image tower and a text tower whose vectors meet in one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from search.encoders.base import BATCH, Encoder, ImageTower, Picture, Vectors, unit
from search.encoders.clip_tokenizer import tokenizer_of
from search.encoders.folder import Folder
from search.encoders.preprocessing import Preprocessing

IMAGE, TEXT = "image.onnx", "text.onnx"


class Clip(Encoder):
    """Files: image.onnx ("pixels" -> features), text.onnx ("tokens" -> features), and the tokenizer's."""

    kind: ClassVar[str] = "clip"
    knows_words: ClassVar[bool] = True

    def __init__(self, folder: Folder, threads: int = 1) -> None:
        super().__init__(folder, threads)
        self.image_tower = ImageTower(self.network(IMAGE), Preprocessing.of_meta(self.meta["preprocessing"]))
        self.text = self.network(TEXT)
        self.tokenizer = tokenizer_of(folder.path, self.meta["tokenizer"])

    def encode_image(self, pictures: Sequence[Picture]) -> Vectors:
        if not pictures:
            return np.empty((0, self.dimension), np.float32)
        return unit(self.image_tower.activations(pictures))

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        tokens = self.tokenizer(texts)
        parts = [self.text.run({"tokens": tokens[start : start + BATCH]}) for start in range(0, len(tokens), BATCH)]
        return unit(np.concatenate(parts))
