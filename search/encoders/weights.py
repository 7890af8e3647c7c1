"""Weights in pip packages: where their files are, without importing the package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from search.encoders.exceptions import EncoderNotMade


def packaged_file(package: str, file: str) -> Path:
    """The file in an installed distribution; its import package has the same name with underscores."""
    module = find_spec(package.replace("-", "_"))
    locations = (module.submodule_search_locations or []) if module else []
    for location in locations:
        if (path := Path(location) / file).is_file():
            return path
    raise EncoderNotMade(f"The package {package} is not installed. Run: make run (it installs what is missing).")


def origin(package: str) -> str:
    """The package and its version, for meta's ``origin``."""
    try:
        return f"PyPI {package} {version(package)}"
    except PackageNotFoundError:
        return f"PyPI {package}"
