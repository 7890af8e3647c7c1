"""Texts -> token numbers for CLIP's text towers, exactly open_clip's and without it."""

from __future__ import annotations

import html
import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ftfy
import numpy as np
import regex
from numpy.typing import NDArray

Tokens = NDArray[np.int64]

MERGES = "merges.txt"
TOKENIZER = "tokenizer.json"

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_LAST = "</w>"


class ClipTokenizer(ABC):
    """Texts -> int64 ``(n, context)``, cleaned, cut and padded as the model was trained with.

    ``meta`` is the encoder's "tokenizer": kind ("bpe", "file"), context, clean, and what the kind needs.
    """

    def __init__(self, meta: Mapping[str, Any]) -> None:
        self.context = int(meta["context"])
        self.clean = CLEANINGS[meta["clean"]]

    @abstractmethod
    def __call__(self, texts: Sequence[str]) -> Tokens: ...

    def _table(self, rows: Iterable[Sequence[int]]) -> Tokens:
        """Rows of at most ``context`` numbers, filled up with 0."""
        rows = list(rows)
        table = np.zeros((len(rows), self.context), np.int64)
        for line, row in zip(table, rows, strict=True):
            line[: len(row)] = row
        return table


class BytePairs(ClipTokenizer):
    """Byte-pair encoding (Sennrich et al. 2016) over the bytes of UTF-8, as CLIP has it (Radford et al. 2021).

    meta also has ``special``: the tokens after the vocabulary, start and end of a text first.
    """

    def __init__(self, folder: Path, meta: Mapping[str, Any]) -> None:
        from tokenizers import Tokenizer, models, pre_tokenizers

        super().__init__(meta)
        special = meta["special"]
        lines = (folder / MERGES).read_text(encoding="utf-8").splitlines()
        merges = [(first, second) for first, second in (line.split(" ") for line in lines)]
        # The vocabulary's order starts with the bytes that are their own letters.
        letters = sorted(pre_tokenizers.ByteLevel.alphabet(), key=lambda letter: (ord(letter) > 255, ord(letter)))
        tokens = [*letters, *(letter + _LAST for letter in letters), *("".join(pair) for pair in merges), *special]
        numbers = {token: number for number, token in enumerate(tokens)}
        self.tokenizer = Tokenizer(models.BPE(numbers, merges, end_of_word_suffix=_LAST))
        self.tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        self.tokenizer.add_special_tokens(special)
        self.start, self.end = (numbers[token] for token in special[:2])
        # The library would split at special tokens first, and its letters are those of another Unicode release.
        self.words = regex.compile("|".join([*special, _WORDS]), regex.IGNORECASE)

    def __call__(self, texts: Sequence[str]) -> Tokens:
        return self._table(self._row(text) for text in texts)

    def _row(self, text: str) -> list[int]:
        words = self.words.findall(self.clean(text))
        numbers = self.tokenizer.encode(words, is_pretokenized=True, add_special_tokens=False).ids
        return [*[self.start, *numbers][: self.context - 1], self.end]


class FromFile(ClipTokenizer):
    """A tokenizer.json of the tokenizers library, which also says how to cut and pad.

    meta also has ``blank``: numbers that become 0; and ``frame``: null, or the numbers start, end, pad and
    class of models that take their class token last (CLIPS, Liu et al. 2024).
    """

    def __init__(self, folder: Path, meta: Mapping[str, Any]) -> None:
        from tokenizers import Tokenizer

        super().__init__(meta)
        self.tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self.blank = [int(number) for number in meta["blank"]]
        self.frame = meta["frame"]

    def __call__(self, texts: Sequence[str]) -> Tokens:
        encoded = self.tokenizer.encode_batch([self.clean(text) for text in texts], add_special_tokens=not self.frame)
        table = self._table(self._framed(each.ids) if self.frame else each.ids for each in encoded)
        table[np.isin(table, self.blank)] = 0
        return table

    def _framed(self, numbers: Sequence[int]) -> list[int]:
        start, end, pad, last = self.frame
        row = [start, *numbers[: self.context - 3], end]
        return [*row, *[pad] * (self.context - 1 - len(row)), last]


def tokenizer_of(folder: Path, meta: Mapping[str, Any]) -> ClipTokenizer:
    """The tokenizer whose files are in ``folder``."""
    return (FromFile if meta["kind"] == "file" else BytePairs)(folder, meta)


def _basic(text: str) -> str:
    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def _whitespace(text: str) -> str:
    return " ".join(_basic(text).split())


def _lower(text: str) -> str:
    return _whitespace(text).lower()


def _canonicalize(text: str) -> str:
    """Underscores are spaces, punctuation goes, as SigLIP's training had it."""
    plain = _basic(text).replace("_", " ").translate(str.maketrans("", "", string.punctuation))
    return " ".join(plain.lower().split())


CLEANINGS: dict[str, Callable[[str], str]] = {
    "lower": _lower,
    "whitespace": _whitespace,
    "canonicalize": _canonicalize,
}
