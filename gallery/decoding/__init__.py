"""Bytes of any picture -> upright sRGB pixels of a bounded size, or ``ImageRejected``."""

from gallery.decoding.decoder import Decoded, decode
from gallery.decoding.limits import DEFAULT_LIMITS, Limits

__all__ = ["DEFAULT_LIMITS", "Decoded", "Limits", "decode"]
