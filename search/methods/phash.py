"""Perceptual hash: the signs of a small picture's low frequencies, 256 bits; finds copies.

Bit-identical to ``imagehash.phash(Image.fromarray(pixels), hash_size=16)``: luma (ITU-R 601), 64 x 64 by
Lanczos, type-II DCT on both axes, the 16 x 16 lowest frequencies, each against their median.
Four fifths of imagehash's time goes into greys and resizing, which are done here as matrix products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from operator import add
from typing import Any

import numpy as np
import scipy.fft
from numba import njit
from numpy.typing import NDArray
from PIL import Image

from search.kernels.dihedral import Dihedral
from search.methods.base import Comparison, Method
from search.types import Confidence, Features, Pixels
from search.types import gettext_noop as _

Floats = NDArray[np.float64]
Span = tuple[slice, slice, Floats]

SIDE = 64
LOW = 16
WORDS = LOW * LOW // 64
HASH_BYTES = LOW * LOW // 8
UNRELATED = 96

# The rows of ``queries``: the stored hashes, and the same transposed.
FORMS = (
    Dihedral.IDENTITY,
    Dihedral.FLIP_LEFT_RIGHT,
    Dihedral.FLIP_TOP_BOTTOM,
    Dihedral.ROTATE_180,
    Dihedral.TRANSPOSE,
    Dihedral.ROTATE_90,
    Dihedral.ROTATE_270,
    Dihedral.TRANSVERSE,
)

# Pillow rounds its filter weights to 22 binary places and each pass to 8 bits.
ONE = 1 << 22
ROWS_AT_ONCE = 128
COLUMNS_AT_ONCE = 8


class PerceptualHash(Method):
    """Four 256-bit hashes are stored (128 bytes), of the first four FORMS; the hash of the picture itself is indexed.

    The metric counts differing bits. Transposing a picture transposes its frequencies, so the hashes of all eight
    FORMS are known from the stored ones.
    """

    label = _("Copies")
    summary = _("Finds copies that were resized, recompressed, brightened, mirrored or rotated.")
    limits = _("Misses crops and other pictures of the same subject.")

    name = "dct-phash-256"
    version = "1"
    metric = "hamming"
    dimension = WORDS
    index = "vptree"
    # Two pictures may have the same colours, but hardly the same hash.
    confidence = Confidence(least_doubt=1e-4)
    finds_copies = True
    drawing = "bits"

    def extract(self, pixels: Pixels) -> bytes:
        low = low_frequencies(small_grey(pixels))
        odd = np.where(np.arange(LOW) % 2, -1.0, 1.0)
        # Flipping a signal changes the sign of its odd DCT coefficients.
        forms = (low, low * odd, low * odd[:, None], low * odd * odd[:, None])
        return b"".join(np.packbits(form > np.median(form)).tobytes() for form in forms)

    def fits(self, stored: bytes) -> bool:
        return len(stored) == 4 * HASH_BYTES

    def rows(self, stored: Sequence[bytes]) -> Features:
        return _words(b"".join(feature[:HASH_BYTES] for feature in stored))

    def queries(self, stored: bytes) -> Features:
        bits = np.unpackbits(np.frombuffer(stored, np.uint8)).reshape(-1, LOW, LOW)
        return _words(stored + np.packbits(bits.transpose(0, 2, 1)).tobytes())

    def score(self, distance: float) -> float:
        """Falls linearly to 0 at 96 bits; 1 of 1,000 unrelated pairs is nearer, over eight forms."""
        return max(0.0, 1.0 - distance / UNRELATED)

    def evidence(self, comparison: Comparison) -> Mapping[str, Any]:
        """The bits of the query's nearest form and of the stored picture; ``form`` is the code of that transform.

        Bits are rows of ``0`` and ``1``, lowest frequencies first; ``differing`` is the number of those that differ.
        """
        image_square = _square(self.rows([comparison.image])[0])
        query_squares = [_square(row) for row in comparison.rows]
        differing = [int(np.count_nonzero(square != image_square)) for square in query_squares]
        best = int(np.argmin(differing))
        return {
            "form": FORMS[best],
            "differing": differing[best],
            "query": _lines(query_squares[best]),
            "image": _lines(image_square),
        }


def _square(row: Features) -> NDArray[np.uint8]:
    """The bits of an index row, ``(16, 16)``."""
    return np.unpackbits(np.ascontiguousarray(row).view(np.uint8)).reshape(LOW, LOW)


def _lines(square: NDArray[np.uint8]) -> list[str]:
    return ["".join(map(str, line)) for line in square.tolist()]


def _words(packed: bytes) -> NDArray[np.uint64]:
    return np.frombuffer(bytearray(packed), np.uint64).reshape(-1, WORDS)


def low_frequencies(grey: NDArray[np.uint8]) -> Floats:
    """The ``(16, 16)`` lowest coefficients of the unnormalised DCT-II of a ``(64, 64)`` picture."""
    columns = scipy.fft.dct(grey, axis=0)[:LOW]
    low: Floats = scipy.fft.dct(columns, axis=1)[:, :LOW]
    return low


def small_grey(pixels: Pixels) -> NDArray[np.uint8]:
    """``(64, 64)`` luma, exactly as Pillow's ``convert("L").resize((64, 64), LANCZOS)`` gives it.

    Pillow itself does small pictures, where it is quick enough, and tall ones, for which the order of
    its two passes, and so the rounding, depends on its release.
    """
    height, width = pixels.shape[:2]
    if min(width, height) < 160 or height > 1.6 * width:
        grey = Image.fromarray(pixels).convert("L")
        return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
    pixels = np.ascontiguousarray(pixels)
    narrow = np.empty((height, SIDE))
    for top in range(0, height, ROWS_AT_ONCE):
        block = slice(top, top + ROWS_AT_ONCE)
        narrow[block] = _shrink(_luma(pixels[block]), lanczos(width))
    return _shrink(narrow.T, lanczos(height)).T.astype(np.uint8)


@njit(cache=True, nogil=True)
def _luma(pixels: Pixels) -> Floats:
    height, width, _ = pixels.shape
    flat = pixels.reshape(height * width * 3)
    grey = np.empty(height * width, np.float64)
    for i in range(height * width):
        red, green, blue = np.uint32(flat[3 * i]), np.uint32(flat[3 * i + 1]), np.uint32(flat[3 * i + 2])
        grey[i] = (red * np.uint32(19595) + green * np.uint32(38470) + blue * np.uint32(7471) + 32768) >> 16
    return grey.reshape(height, width)


def _shrink(lines: Floats, spans: Sequence[Span]) -> Floats:
    """``(n, size)`` whole numbers 0..255 -> ``(n, 64)``, rounded and clipped to 0..255.

    Products and sums are whole numbers below 2**53: exact in float64, in whatever order BLAS adds them.
    """
    small = np.empty((len(lines), SIDE))
    for source, target, weights in spans:
        np.matmul(lines[:, source], weights, out=small[:, target])
    return np.clip(np.floor(small / ONE + 0.5), 0, 255)


@lru_cache(maxsize=64)
def lanczos(size: int) -> tuple[Span, ...]:
    """Weights that shrink ``size`` samples to 64 with a windowed sinc (a = 3), stretched to the new step.

    The matrix is a band, so it comes as blocks: source samples, target samples, weights times 2**22.
    """
    step = size / SIDE
    dense = np.zeros((size, SIDE))
    for target in range(SIDE):
        centre = (target + 0.5) * step
        first, last = max(int(centre - 3 * step + 0.5), 0), min(int(centre + 3 * step + 0.5), size)
        offsets = [(source - centre + 0.5) * (1.0 / step) for source in range(first, last)]
        weights = [_sinc(x) * _sinc(x / 3) if -3 <= x < 3 else 0.0 for x in offsets]
        total = reduce(add, weights)
        dense[first:last, target] = [math.trunc(w / total * ONE + math.copysign(0.5, w)) for w in weights]
    starts = range(0, SIDE, COLUMNS_AT_ONCE)
    return tuple(_block(dense, slice(start, start + COLUMNS_AT_ONCE)) for start in starts)


def _block(dense: Floats, target: slice) -> Span:
    used = np.flatnonzero(dense[:, target].any(axis=1))
    source = slice(int(used[0]), int(used[-1]) + 1)
    return source, target, np.ascontiguousarray(dense[source, target])


def _sinc(x: float) -> float:
    return 1.0 if x == 0 else math.sin(x * math.pi) / (x * math.pi)
