"""The default networks against the implementations whose weights they carry; needs torch (requirements.txt)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from search.encoders import load
from search.encoders.checkpoint import read_checkpoint
from search.encoders.efficientnet import FILE, PACKAGE
from search.encoders.make_conse import phrasings
from search.encoders.minilm import PACKAGE as SENTENCES
from search.encoders.weights import packaged_file
from search.methods.base import Picture
from tests.support.images import scene

torch = pytest.importorskip("torch", reason="needs torch: requirements.txt")


def least_cosine(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / lengths).min())


def test_the_checkpoint_is_read_as_torch_reads_it() -> None:
    path = packaged_file(PACKAGE, FILE)
    theirs = torch.load(path, weights_only=True)
    ours = read_checkpoint(path)
    assert list(ours) == list(theirs)
    assert all(np.array_equal(ours[name], theirs[name].numpy()) for name in theirs)


def test_efficientnet_is_the_torch_network(encoders: Path) -> None:
    reference = pytest.importorskip("efficientnet_lite_pytorch", reason="needs requirements.txt")
    network = reference.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(packaged_file(PACKAGE, FILE), weights_only=True))
    network.eval()
    tower = load(encoders, "efficientnet-lite0").image_tower
    pixels = [scene(seed, (300 + 9 * seed, 280)) for seed in range(12)]
    with torch.no_grad():
        maps = network.extract_features(torch.from_numpy(tower.preprocessing.batch(pixels)))
    ours = tower.activations([Picture(each) for each in pixels])
    assert least_cosine(ours, maps.mean(dim=(2, 3)).numpy()) >= 0.9999
    assert np.abs(ours - maps.mean(dim=(2, 3)).numpy()).max() < 1e-3


def test_sentences_are_those_of_the_torch_model(encoders: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="needs requirements.txt")
    folder = packaged_file(SENTENCES, "model/config.json").parent
    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = [text for group in phrasings().values() for text in group[::100]]
    texts += ["", "Ein Mädchen läuft über die Brücke!", "x" * 400, "many words " * 300, "C'est l'été — à 30 °C"]
    given = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        tokens = model(**given).last_hidden_state
    mask = given["attention_mask"][..., None]
    theirs = ((tokens * mask).sum(dim=1) / mask.sum(dim=1)).numpy()
    ours = load(encoders, "conse").sentences.vectors(texts)
    assert least_cosine(ours, theirs) >= 0.9999
