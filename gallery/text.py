"""Text that people typed or files carried, made safe to store."""

from __future__ import annotations

import unicodedata

# Control, format and surrogate characters: invisible, or able to reorder the text around them.
INVISIBLE = {"Cc", "Cf", "Cs"}


def clean_text(text: str, length: int) -> str:
    """One line without control or invisible formatting characters, cut to ``length``."""
    # A space in their place, so that words on two lines do not become one.
    visible = "".join(" " if unicodedata.category(c) in INVISIBLE else c for c in text)
    return " ".join(visible.split())[:length].rstrip()
