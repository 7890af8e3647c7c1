"""Neural features: an image network with its classifier cut off finds the same kind of thing."""

from __future__ import annotations

from search.methods.encoded import Encoded, Models

DEFAULT = "efficientnet-lite0"


class NeuralFeatures(Encoded):
    """Unit vectors of an image encoder: EfficientNet-Lite0 reduced to 256 numbers, or whatever is configured."""

    name = "image-network"
    space = "neural"

    def choose(self, models: Models) -> str:
        return models.chosen.get(self.space) or DEFAULT
