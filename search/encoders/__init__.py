"""Encoders: ONNX models, where they come from, how they are made and run. A new model is one file and one line."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from search.encoders.base import Encoder
from search.encoders.exceptions import EncoderDamaged, EncoderMissing, EncoderNotMade
from search.encoders.folder import META, Folder, folder_path, read_folder
from search.types import Progress, silent

__all__ = ["DEFAULTS", "ENCODERS", "KINDS", "EncoderDamaged", "EncoderMissing", "EncoderNotMade", "load", "make"]

# Name, or the prefix of a name (with its colon) -> label, maker. Imported on first use.
ENCODERS: dict[str, tuple[str, str]] = {
    "efficientnet-lite0": ("EfficientNet-Lite0, 256 numbers", "search.encoders.efficientnet.make"),
    "conse": ("EfficientNet-Lite0 and MiniLM in one space (ConSE)", "search.encoders.make_conse.make"),
    "resnet50": ("ResNet50, 2,048 numbers", "search.encoders.make_timm.make"),
    "resnet50-max": ("ResNet50, 2,048 numbers, the largest of each map", "search.encoders.make_timm.make"),
    "timm:": ("Any image network of timm, as timm:NAME", "search.encoders.make_timm.make"),
    "torchvision:": ("Any image network of torchvision, as torchvision:NAME/WEIGHTS", "search.encoders.make_timm.make"),
    "clip:": ("Any open_clip model, as clip:MODEL:TAG or clip:hf-hub:OWNER/REPO", "search.encoders.make_clip.make"),
}
DEFAULTS = ("efficientnet-lite0", "conse")

# Kind in meta.json -> the class that runs it.
KINDS: dict[str, str] = {
    "image": "search.encoders.image.ImageEncoder",
    "conse": "search.encoders.conse.Conse",
    "clip": "search.encoders.clip.Clip",
}

_loaded: dict[tuple[Path, int], tuple[tuple[int, ...], Encoder]] = {}
_loading = Lock()


class Maker(Protocol):
    """Makes the files of an encoder; raises EncoderError if the weights are missing or damaged."""

    def __call__(self, name: str, root: Path, progress: Progress) -> Folder: ...


def make(name: str, root: Path, progress: Progress = silent) -> Folder:
    """Make the encoder of this name under ``root``. Raises EncoderNotMade, which names the cure."""
    prefix = name.partition(":")[0] + ":"
    entry = ENCODERS.get(name) or ENCODERS.get(prefix)
    if entry is None:
        raise EncoderNotMade(f"No model is called “{name}”. There are: {', '.join(ENCODERS)}")
    maker: Maker = _imported(entry[1])
    return maker(name, root, progress)


def load(root: Path, name: str, threads: int = 1) -> Encoder:
    """The encoder of a name, or of a key ``name@hash`` (an older one too), its checksums read once.

    Cheap to call for every query: it is loaded again when another folder has taken its place. ``threads`` as in
    Network. Raises EncoderMissing or EncoderDamaged, which name the cure.
    """
    path = folder_path(root, name)
    key = (path, threads)
    try:
        facts = (path / META).stat()
    except OSError:
        read_folder(root, name)
        raise
    state = (facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size)
    with _loading:
        if key not in _loaded or _loaded[key][0] != state:
            folder = read_folder(root, name)
            _loaded[key] = (state, _imported(KINDS[folder.meta["kind"]])(folder, threads))
        return _loaded[key][1]


def _imported(dotted: str) -> Any:
    module, _, attribute = dotted.rpartition(".")
    return getattr(import_module(module), attribute)
