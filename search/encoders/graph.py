"""Writing ONNX graphs by hand, node after node; the same calls give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 20
IR_VERSION = 9

Shape = tuple[int | str, ...]


class Graph:
    """Nodes and their constants. Values are known by name; ``node`` returns the name of what it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.named: dict[tuple[str, Any], str] = {}

    def constant(self, values: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def integers(self, *values: int) -> str:
        """A constant int64 vector, stored once."""
        if ("i", values) not in self.named:
            self.named["i", values] = self.constant(np.array(values, np.int64))
        return self.named["i", values]

    def number(self, value: float) -> str:
        """A constant float32 scalar, stored once."""
        if ("f", value) not in self.named:
            self.named["f", value] = self.constant(np.array(value, np.float32))
        return self.named["f", value]

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, inputs, [name], **attributes))
        return name

    def save(self, path: Path, inputs: Mapping[str, tuple[type, Shape]], output: tuple[str, str, Shape]) -> None:
        """Write the model. ``inputs``: name -> dtype, shape; ``output``: name, value it is, shape (float32)."""
        name, value, shape = output
        nodes = [*self.nodes, helper.make_node("Identity", [value], [name])]
        taken = [_described(each, dtype, dims) for each, (dtype, dims) in inputs.items()]
        graph = helper.make_graph(nodes, "encoder", taken, [_described(name, np.float32, shape)], self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="image-search")
        onnx.checker.check_model(model)
        path.write_bytes(model.SerializeToString(deterministic=True))


def _described(name: str, dtype: type, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
