"""What the methods over an encoder share: which encoder it is, and how its vectors are stored and compared."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from search.encoders import EncoderDamaged, EncoderMissing, load
from search.encoders.base import Encoder
from search.methods.base import Method, Picture
from search.methods.configuration import configuration
from search.types import Features, Pixels

# Activations of so few pictures fit into the processor's cache: 5.5 ms a picture, alone or by four; 7.4 ms by 32.
AT_ONCE = 4


class Encoded(Method):
    """Unit vectors of an encoder as float16, compared by Euclidean distance (0 to 2).

    An object takes the configured encoder when it is first used and stays with it, so that a vector always
    carries the version of the encoder that made it; ``now()`` and ``at()`` give other objects.
    """

    metric = "euclidean"
    stored = "<f2"
    index = "hnsw"
    needs_encoder = True

    def __init__(self, key: str = "") -> None:
        self._key = key

    @abstractmethod
    def default_encoder(self, root: Path) -> str:
        """The name of the encoder to take of those below ``root`` where the setting chooses none."""

    @property
    def encoder_name(self) -> str:
        configured = configuration()
        return configured.choice(self.setting) or self.default_encoder(configured.models_root)

    @cached_property
    def encoder(self) -> Encoder:
        configured = configuration()
        return load(configured.models_root, self._key or self.encoder_name, configured.encoder_threads)

    @cached_property
    def version(self) -> str:
        return f"{self.name}:{self.encoder.key}"

    @property
    def dimension(self) -> int:
        return self.encoder.dimension

    def now(self) -> Self:
        return type(self)()

    def at(self, version: str) -> Method | None:
        name, _, key = version.partition(":")
        for method in (self, type(self)(key)) if name == self.name else ():
            with suppress(EncoderMissing, EncoderDamaged):
                if method.version == version:
                    return method
        return None

    def extract(self, pixels: Pixels) -> bytes:
        return self.extract_many([Picture(pixels)])[0]

    def extract_many(self, pictures: Sequence[Picture]) -> list[bytes]:
        parts = (pictures[start : start + AT_ONCE] for start in range(0, len(pictures), AT_ONCE))
        return [row.tobytes() for part in parts for row in self._vectors(part).astype(np.float16)]

    def _vectors(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        vectors = self.encoder.encode_image(pictures)
        if vectors.shape != (len(pictures), self.dimension) or not np.isfinite(vectors).all():
            raise ValueError(f"The model “{self.encoder.name}” gave {vectors.shape}, or numbers that are not finite.")
        return vectors

    def fits(self, stored: bytes) -> bool:
        return len(stored) == 2 * self.dimension and bool(np.isfinite(np.frombuffer(stored, np.float16)).all())

    def rows(self, stored: Sequence[bytes]) -> Features:
        if any(len(data) != 2 * self.dimension for data in stored):
            raise ValueError(f"A stored feature does not have the {self.dimension} numbers of {self.version}.")
        halves: NDArray[np.float16] = np.frombuffer(b"".join(stored), np.float16).reshape(-1, self.dimension)
        return halves.astype(np.float32)

    def queries(self, stored: bytes) -> Features:
        """The row itself."""
        return self.rows([stored])

    def encode_text(self, text: str) -> Features:
        return self.encoder.encode_text([text]) if self.knows_words else super().encode_text(text)

    def score(self, distance: float) -> float:
        return self.encoder.similarity(distance, words=False)

    def word_score(self, distance: float) -> float:
        return self.encoder.similarity(distance, words=self.knows_words)
