"""An image network with its classifier cut off, reduced by a linear projection where the folder has one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from search.encoders.base import Encoder, ImageTower, Picture, Vectors, unit
from search.encoders.exceptions import EncoderMissing
from search.encoders.folder import Folder
from search.encoders.preprocessing import Preprocessing

NETWORK = "image.onnx"
PROJECTION = "projection.npz"


class ImageEncoder(Encoder):
    """Files: image.onnx ("pixels" -> features) and, optionally, projection.npz (``matrix``).

    Meta's ``power``, if it has one, is applied to the features (which are not negative then) before the projection.
    """

    kind: ClassVar[str] = "image"
    knows_words: ClassVar[bool] = False

    def __init__(self, folder: Folder, threads: int = 1) -> None:
        super().__init__(folder, threads)
        self.image_tower = ImageTower(self.network(NETWORK), Preprocessing.of_meta(self.meta["preprocessing"]))
        projected = PROJECTION in {**self.meta["files"], **self.meta["computed"]}
        self.matrix = self.arrays(PROJECTION)["matrix"] if projected else None
        self.power = float(self.meta.get("power", 1))

    def encode_image(self, pictures: Sequence[Picture]) -> Vectors:
        if not pictures:
            return np.empty((0, self.dimension), np.float32)
        features = self.image_tower.activations(pictures)
        if self.power != 1:
            features = np.power(np.maximum(features, 0), np.float32(self.power))
        return unit(features if self.matrix is None else features @ self.matrix)

    def encode_text(self, texts: Sequence[str]) -> Vectors:
        raise EncoderMissing("encoder_without_words", name=self.name)
