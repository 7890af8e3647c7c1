"""From torch to ONNX, for making models; the processes that serve the site never import torch."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.encoders.base import unit
from search.encoders.exceptions import EncoderNotMade
from search.encoders.network import Network

OUTPUT = "features"
LARGEST_FILE = 1_500_000_000  # bytes; an ONNX file itself ends at 2 GiB, larger weights go into a second file
LEAST_COSINE = 0.9999


def needed(module: str) -> Any:
    """The imported module. Raises EncoderNotMade with the command that installs it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise EncoderNotMade(
            f"Making this model needs {error.name or module}, which is not installed (running models does not). "
            f"Run once: {sys.executable} -m pip install -r requirements.txt"
        ) from error


@contextmanager
def reading_weights(file: Path, model: str) -> Iterator[None]:
    """Turns what loaders raise for a file that is damaged, no checkpoint, or another model's into EncoderNotMade."""
    damaged = needed("safetensors").SafetensorError
    loaders = (RuntimeError, LookupError, TypeError, ValueError, AttributeError, AssertionError, EOFError)
    try:
        yield
    except (damaged, UnpicklingError, *loaders) as error:
        problem = " ".join(str(error).split())[:300]
        raise EncoderNotMade(f"{file.name} does not hold weights of {model}: {problem}") from error


def write_onnx(network: Any, example: Any, input_name: str, path: Path, weights_sha256: str) -> None:
    """Write a torch module's forward, for batches of any size, as ``input_name`` -> "features"."""
    torch = needed("torch")
    needed("onnxscript")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.eval(),
            (example,),
            input_names=[input_name],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
            dynamo=True,
            verbose=False,
        )
    _plain(program.model, weights_sha256)
    weights = sum(value.const_value.nbytes for value in program.model.graph.initializers.values())
    program.save(str(path), external_data=weights > LARGEST_FILE)


def _plain(model: Any, weights_sha256: str) -> None:
    """Remove paths and line numbers of the code, so that the same model gives the same bytes on every machine.

    The weights' checksum goes in, because the checksum of a model in two files covers only this one.
    """
    model.doc_string = f"weights {weights_sha256}"
    model.metadata_props.clear()
    model.graph.metadata_props.clear()
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()


def compare(reference: Callable[[Any], Any], path: Path, input_name: str, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """The file's features of ``inputs``. Raises EncoderNotMade if they differ from those of the torch model."""
    torch = needed("torch")
    with torch.no_grad():
        expected = unit(reference(torch.from_numpy(inputs)).float().numpy())
    features = Network(path, str(path)).run({input_name: inputs})
    cosines = (expected * unit(features)).sum(axis=1)
    if not cosines.min() >= LEAST_COSINE:
        raise EncoderNotMade(
            f"The exported model does not answer as the original does (cosine {cosines.min():.5f}); it is not used. "
            "Other versions of torch and onnxscript may do better."
        )
    return features
