"""The contract of a method: a picture's pixels in, numbers out; mathematics only.

Everything that the program says about a method stands on its class. tests/search/methods/test_contract.py holds every
method of the table to it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from search.exceptions import BadQuery
from search.types import Confidence, Features, Message, Pixels, Transform

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Picture:
    """Upright sRGB pixels, uint8 ``(height, width, 3)``, and the activations of networks that have run on them.

    ``activations`` is keyed by a network and its preprocessing: methods that share one run it once per picture.
    """

    pixels: Pixels
    activations: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verified:
    """A verified candidate: its distance in the space's metric, and how the query lies in it."""

    distance: float
    transform: Transform | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A query and one stored picture, as a method shows evidence of their likeness.

    ``rows``: the query's index rows; ``query``: its stored feature, None for words; ``image``: the stored picture's.
    Sizes are (width, height) in pixels. The last two read small copies of the pictures; the query's is None for words.
    """

    rows: Features
    query: bytes | None
    image: bytes
    query_size: Size
    image_size: Size
    query_pixels: Callable[[], Pixels | None]
    image_pixels: Callable[[], Pixels]


class Method(ABC):
    """One way to describe and compare pictures: how a picture becomes a stored feature, and how an index is asked.

    Pixels are upright sRGB, uint8, shape ``(height, width, 3)``, as gallery/decoding/ gives them; either side may be 1.
    ``version`` changes whenever ``extract`` may give other bytes; features of two versions never mix. Where a model
    is needed and there is none, ``version``, ``dimension`` and all that computes raise SpaceUnavailable.
    """

    # What people read, marked by gettext_noop: a name, what the method finds, and what it does not; a sentence each.
    label: ClassVar[str]
    summary: ClassVar[str]
    limits: ClassVar[str]

    # How features are stored, compared and found.
    name: ClassVar[str]  # of the algorithm; the space is named by its key in METHODS
    metric: ClassVar[str]  # of search/indexes/metrics.py
    index: ClassVar[str]  # of search/indexes, where the settings name no other
    stored: ClassVar[str] = "|u1"  # dtype of the numbers of a stored feature, for exports
    reranked: ClassVar[int] = 0  # how many of the nearest candidates are verified
    confidence: ClassVar[Confidence] = Confidence()

    # What the method can do.
    knows_words: ClassVar[bool] = False  # whether ``encode_text`` gives rows
    answers_words: ClassVar[bool] = False  # whether words go to this method where no other is named
    finds_copies: ClassVar[bool] = False  # whether duplicates are found by its 256 bits, in eight dihedral forms
    finds_parts: ClassVar[bool] = False  # whether a verified hit has the transform by which duplicates find crops
    map_priority: ClassVar[int] = 0  # of the methods that can have a map, the one with the highest gets it by itself

    # Which setting chooses its model or variant, and how the evidence that it shows is drawn (explain/drawing.py).
    setting: ClassVar[str] = ""
    needs_encoder: ClassVar[bool] = False
    drawing: ClassVar[str] = ""

    @property
    @abstractmethod
    def version(self) -> str:
        """Names the algorithm and the model that made a feature."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Numbers of an index row, in the metric's dtype."""

    @property
    def encoder_name(self) -> str:
        """The name of the encoder that is configured, installed or not; "" for a method without one."""
        return ""

    @property
    def is_vector_space(self) -> bool:
        """Whether rows are vectors with Euclidean distances: these have a mean, and positions on a map."""
        return self.metric == "euclidean"

    @abstractmethod
    def extract(self, pixels: Pixels) -> bytes:
        """The picture's feature as it is stored."""

    def extract_many(self, pictures: Sequence[Picture]) -> list[bytes]:
        """The features of several pictures, in their order."""
        return [self.extract(picture.pixels) for picture in pictures]

    def fits(self, stored: bytes) -> bool:
        """Whether these bytes can be a feature of this version; others never come near an index."""
        return len(stored) > 0

    @abstractmethod
    def rows(self, stored: Sequence[bytes]) -> Features:
        """Index rows of stored features: ``(len(stored), dimension)`` in the metric's dtype."""

    @abstractmethod
    def queries(self, stored: bytes) -> Features:
        """Rows to ask with, ``(m, dimension)``: every form in which the picture should be recognised.

        The engine searches each and takes a key's smallest distance.
        """

    def encode_text(self, text: str) -> Features:
        """Rows to ask with for words, ``(m, dimension)``. Raises BadQuery if the method knows no words."""
        raise BadQuery("method_without_words", method=Message(self.name, self.label))

    @abstractmethod
    def score(self, distance: float) -> float:
        """Distance in the space's metric -> similarity in 0..1, 1 for identical."""

    def word_score(self, distance: float) -> float:
        """The same for the distance of a picture to words, which are never identical."""
        return self.score(distance)

    def verify(self, query: bytes, stored: Sequence[bytes], forms: Sequence[int] | None = None) -> list[Verified]:
        """The ``reranked`` nearest candidates compared closely, in their order: stored features against the query's.

        ``forms``: which of the rows of ``queries`` found each; all are tried where that is not known.
        """
        return []

    def evidence(self, comparison: Comparison) -> Mapping[str, Any]:
        """What can be shown of a likeness, as the API gives it and ``drawing`` draws it; nothing by default."""
        return {}

    def now(self) -> Method:
        """This method as it is configured now; a model may have taken the place of another."""
        return self

    def at(self, version: str) -> Method | None:
        """This method in a version; None if that cannot be computed any more."""
        return self if version == self.version else None
