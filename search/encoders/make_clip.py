"""Making a CLIP encoder: open_clip's image tower, text tower and tokenizer -> a folder that runs without them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoders import calibration
from search.encoders.base import unit
from search.encoders.clip import IMAGE, TEXT
from search.encoders.clip_source import Source, from_file, named
from search.encoders.clip_tokenizer import MERGES, TOKENIZER, tokenizer_of
from search.encoders.exceptions import EncoderNotMade
from search.encoders.export import compare, needed, write_onnx
from search.encoders.folder import Folder, Meta, write_folder
from search.encoders.hubs import downloading, hub
from search.encoders.preprocessing import Preprocessing
from search.types import Progress

PREFIXES = ("open_clip:", "clip:")
FITS = {"shortest": "crop", "squash": "squash", "longest": "pad"}
# The exported tokenizer has to give the original's tokens of these.
TRIALS = (
    *calibration.SENTENCES,
    "",
    "it's 2 o'clock &amp; 12.5 °C — naïve café",
    "Ein Hund läuft am Strand",
    "海辺の犬 и кошка כלב 🐕",
    "snake_case and\ttabs " * 60,
)


def make(name: str, root: Path, progress: Progress) -> Folder:
    """``clip:MODEL:TAG`` of open_clip's lists, or ``clip:hf-hub:OWNER/REPOSITORY``."""
    source = named(_bare(name))
    return write_folder(root, name, lambda work: {**_Making(source, work, progress).meta(), "asked": name})


def make_from_file(
    checkpoint: Path, model: str, root: Path, progress: Progress, *, name: str = "", licence: str = ""
) -> Folder:
    """An encoder from weights on this machine; ``model`` as clip_source.from_file takes it."""
    source = from_file(checkpoint, _bare(model))
    meta: dict[str, Any] = {"licence": licence} if licence else {}
    return write_folder(
        root, name or f"clip-{checkpoint.stem}", lambda work: {**_Making(source, work, progress).meta(), **meta}
    )


def _bare(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


class _Making:
    """Makes one model in the folder ``work``."""

    def __init__(self, source: Source, work: Path, progress: Progress) -> None:
        self.source, self.work, self.progress = source, work, progress
        self.sha = source.weights_sha256

    def meta(self) -> Meta:
        self._load()
        steps: list[Callable[[], None]] = [self._tokenizer, self._image, self._text]
        for step in self.progress(steps, len(steps), f"Converting {self.source.model}"):
            step()
        pictures, words = unit(self.image_features), unit(self.text_features)[: len(calibration.SENTENCES)]
        return {
            "label": f"CLIP, {self.source.origin}",
            "kind": "clip",
            "origin": self.source.origin,
            "weights_sha256": self.sha,
            "licence": self.source.licence,
            "dimension": int(pictures.shape[1]),
            "words": True,
            "preprocessing": self.preprocessing.as_meta(),
            "tokenizer": self.tokens,
            "score": {
                "pictures": calibration.against_each_other(pictures),
                "words": calibration.against_words(pictures, words),
            },
        }

    def _load(self) -> None:
        """The model may name a text network and a tokenizer of the hub, which are fetched too."""
        cure = (
            "Its text tower or tokenizer is another download. Copy these into a folder, and name that folder as "
            "hf_model_name and hf_tokenizer_name in the model's config; then: "
            "manage.py fetch_models --checkpoint FILE --model CONFIG.json"
        )
        with downloading(self.source.model, hub(), cure):
            self.model = self.source.load().eval()
            self.original = self.source.tokenizer()
            self.preprocessing = preprocessing_of(self.model.visual.preprocess_cfg)

    def _tokenizer(self) -> None:
        self.tokens = write_tokenizer(self.original, self.work)
        ours, originals = tokenizer_of(self.work, self.tokens)(TRIALS), self.original(list(TRIALS)).numpy()
        if not np.array_equal(ours, originals):
            raise EncoderNotMade(f"The tokenizer of {self.source.model} is of a kind that cannot be converted.")
        self.trials = ours

    def _image(self) -> None:
        size = (3, self.preprocessing.height, self.preprocessing.width)
        noise = np.random.default_rng(0).standard_normal((2, *size), np.float32)
        inputs = self.preprocessing.batch(calibration.photographs()) if calibration.photographs() else noise
        self.image_features = self._tower("encode_image", "pixels", inputs, self.work / IMAGE)

    def _text(self) -> None:
        self.text_features = self._tower("encode_text", "tokens", self.trials, self.work / TEXT)

    def _tower(self, method: str, input_name: str, inputs: NDArray[Any], path: Path) -> NDArray[np.float32]:
        """Export one tower, and compare it with itself on real inputs."""
        self.model.forward = getattr(self.model, method)
        write_onnx(self.model, needed("torch").from_numpy(inputs[:2]), input_name, path, self.sha)
        return compare(self.model.forward, path, input_name, inputs)


def preprocessing_of(settings: Any) -> Preprocessing:
    """Our preprocessing for open_clip's ``preprocess_cfg``."""
    size = settings["size"]
    height, width = (size, size) if isinstance(size, int) else size
    fit = FITS[settings["resize_mode"]]
    if fit == "crop" and height != width:
        raise EncoderNotMade("A model that crops to a window that is not square cannot be converted.")
    return Preprocessing(
        height=height,
        width=width,
        fit=fit,
        shorter=height if fit == "crop" else 0,
        resample="BILINEAR" if settings["interpolation"] == "bilinear" else "BICUBIC",
        mean=_three(settings["mean"]),
        std=_three(settings["std"]),
        fill=(settings["fill_color"],) * 3 if fit == "pad" else (0, 0, 0),
    )


def write_tokenizer(tokenizer: Any, folder: Path) -> dict[str, Any]:
    """Write the files of an open_clip tokenizer; returns the ``tokenizer`` part of meta."""
    clean = getattr(tokenizer, "clean_fn", None)
    facts = {
        "context": tokenizer.context_length,
        "clean": clean.__name__.removeprefix("_clean_") if clean else "canonicalize",
    }
    if hasattr(tokenizer, "bpe_ranks"):
        merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)
        (folder / MERGES).write_text("\n".join(" ".join(pair) for pair in merges), encoding="utf-8")
        return {"kind": "bpe", **facts, "special": [tokenizer.decoder[each] for each in tokenizer.all_special_ids]}
    # Using it once sets the cutting and padding that is then saved with it.
    tokenizer(["a word"])
    inner = tokenizer.tokenizer
    inner.backend_tokenizer.save(str(folder / TOKENIZER))
    framed = getattr(tokenizer, "tokenizer_mode", "") == "clips"
    return {
        "kind": "file",
        **facts,
        "blank": [inner.sep_token_id] if getattr(tokenizer, "strip_sep_token", False) else [],
        "frame": [inner.bos_token_id, inner.eos_token_id, inner.pad_token_id, inner.cls_token_id] if framed else None,
    }


def _three(value: Any) -> tuple[float, float, float]:
    values = value if isinstance(value, (list, tuple)) else (value,) * 3
    first, second, third = (float(each) for each in values)
    return first, second, third
