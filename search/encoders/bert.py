"""Writing a BERT sentence encoder (Devlin et al. 2019; Reimers & Gurevych 2019) as an ONNX graph, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoders.graph import Graph

Tensors = dict[str, NDArray[Any]]


def write_bert(tensors: Tensors, heads: int, epsilon: float, path: Path) -> None:
    """ "ids" and "mask", int64 (n, tokens) -> "vectors", float32 (n, width): mean of the tokens, unit length."""
    builder = _Builder(tensors, heads, epsilon)
    value = builder.embeddings()
    layers = sum(name.endswith("attention.self.query.weight") for name in tensors)
    hidden = builder.hidden_tokens()
    for number in range(layers):
        value = builder.layer(value, hidden, f"encoder.layer.{number}")
    inputs = {"ids": (np.int64, ("n", "tokens")), "mask": (np.int64, ("n", "tokens"))}
    builder.graph.save(path, inputs, ("vectors", builder.mean(value), ("n", builder.width)))


class _Builder:
    def __init__(self, tensors: Tensors, heads: int, epsilon: float) -> None:
        self.tensors, self.heads, self.epsilon = tensors, heads, epsilon
        self.width = tensors["embeddings.word_embeddings.weight"].shape[1]
        self.graph = Graph()

    def embeddings(self) -> str:
        """Word + position + type (always the first), normalised."""
        graph = self.graph
        of = {kind: self.tensors[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")}
        words = graph.node("Gather", graph.constant(of["word"]), "ids")
        tokens = graph.node("Shape", "ids", start=1, end=2)
        positions = graph.constant(of["position"] + of["token_type"][0])
        positions = graph.node("Slice", positions, graph.integers(0), tokens, graph.integers(0))
        return self._normal(graph.node("Add", words, positions), "embeddings.LayerNorm")

    def hidden_tokens(self) -> str:
        """What is added to the attention's scores, (n, 1, 1, tokens): very negative where the mask is 0."""
        graph = self.graph
        mask = graph.node("Unsqueeze", self._floats("mask"), graph.integers(1, 2))
        return graph.node("Mul", graph.node("Sub", graph.number(1), mask), graph.number(-1e9))

    def layer(self, value: str, hidden: str, name: str) -> str:
        graph = self.graph
        attended = self._dense(
            self._attention(value, hidden, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        value = self._normal(graph.node("Add", attended, value), f"{name}.attention.output.LayerNorm")
        inner = graph.node("Gelu", self._dense(value, f"{name}.intermediate.dense"))
        outer = self._dense(inner, f"{name}.output.dense")
        return self._normal(graph.node("Add", outer, value), f"{name}.output.LayerNorm")

    def mean(self, value: str) -> str:
        """Mean over the tokens that the mask names, brought to length 1."""
        graph = self.graph
        mask = graph.node("Unsqueeze", self._floats("mask"), graph.integers(2))
        total = graph.node("ReduceSum", graph.node("Mul", value, mask), graph.integers(1), keepdims=0)
        mean = graph.node("Div", total, graph.node("ReduceSum", mask, graph.integers(1), keepdims=0))
        return graph.node("Div", mean, graph.node("ReduceL2", mean, graph.integers(1), keepdims=1))

    def _attention(self, value: str, hidden: str, name: str) -> str:
        graph = self.graph
        query = self._split(self._dense(value, f"{name}.query"), [0, 2, 1, 3])
        key = self._split(self._dense(value, f"{name}.key"), [0, 2, 3, 1])
        mixed = self._split(self._dense(value, f"{name}.value"), [0, 2, 1, 3])
        scale = graph.number((self.width // self.heads) ** -0.5)
        scores = graph.node("Add", graph.node("Mul", graph.node("MatMul", query, key), scale), hidden)
        mixed = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), mixed)
        together = graph.node("Transpose", mixed, perm=[0, 2, 1, 3])
        return graph.node("Reshape", together, graph.integers(0, 0, self.width))

    def _split(self, value: str, order: list[int]) -> str:
        """(n, tokens, width) -> heads apart, axes in this order of (n, tokens, head, number)."""
        heads = self.graph.integers(0, 0, self.heads, self.width // self.heads)
        return self.graph.node("Transpose", self.graph.node("Reshape", value, heads), perm=order)

    def _dense(self, value: str, name: str) -> str:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        product = self.graph.node("MatMul", value, self.graph.constant(weight.T))
        return self.graph.node("Add", product, self.graph.constant(bias))

    def _normal(self, value: str, name: str) -> str:
        weight, bias = (self.graph.constant(self.tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.graph.node("LayerNormalization", value, weight, bias, axis=-1, epsilon=self.epsilon)

    def _floats(self, value: str) -> str:
        return self.graph.node("Cast", value, to=1)
