"""What the program's settings decide for methods, which themselves know no settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _nothing(setting: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where encoders are, and how many threads a call of one takes (0: every core).

    ``choice``: name of a setting -> what it chooses for the method that names it; "" leaves the choice to the method.
    """

    models_root: Path = Path("var") / "models"
    encoder_threads: int = 1
    choice: Callable[[str], str] = _nothing


_source: Callable[[], Configuration] = Configuration


def configure(source: Callable[[], Configuration]) -> None:
    """Let the program's settings decide; ``source`` is called each time, so that changed settings take effect."""
    global _source
    _source = source


def configuration() -> Configuration:
    """What the settings decide now; the defaults where no program has configured any."""
    return _source()
