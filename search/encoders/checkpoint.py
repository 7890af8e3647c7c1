"""Reading tensors out of a checkpoint of torch's older file format, without torch and without running its code."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

Tensors = dict[str, NDArray[Any]]


class CheckpointError(ValueError):
    """Not a checkpoint of this format, or one that contains more than tensors."""


class _Storage:
    """Numbers that tensors are views of; they follow at the end of the file."""

    def __init__(self, dtype: str, size: int) -> None:
        self.values: NDArray[Any] = np.empty(size, np.dtype(dtype).newbyteorder("<"))


class _Tensor:
    """A view to be taken once the storages have been read."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> NDArray[Any]:
        values = self.storage.values
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(values):
            raise CheckpointError("A tensor reaches outside its storage.")
        bytes_apart = [step * values.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, bytes_apart).copy()


def _rebuild(storage: _Storage, offset: int, shape: Any, strides: Any, *_rest: object) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Knows tensors, their storages and ordered dictionaries; anything else is refused."""

    allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
        ("torch", "FloatStorage"): "f4",
        ("torch", "LongStorage"): "i8",
    }

    def __init__(self, file: BinaryIO, storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.allowed[module, name]
        except KeyError:
            raise CheckpointError(f"The checkpoint asks for {module}.{name}.") from None

    def persistent_load(self, pid: Any) -> _Storage:
        _kind, dtype, key, _device, size, _view = pid
        return self.storages.setdefault(key, _Storage(dtype, size))


def read_checkpoint(path: Path) -> Tensors:
    """Name -> array of a ``state_dict`` that ``torch.save`` wrote in the format before zip files."""
    file = io.BytesIO(path.read_bytes())
    storages: dict[str, _Storage] = {}
    try:
        if _load(file, storages) != MAGIC or _load(file, storages) != PROTOCOL:
            raise CheckpointError("Not a checkpoint of this format.")
        _system, tensors, order = (_load(file, storages) for _ in range(3))
        for key in order:
            _fill(file, storages[key])
        return {name: tensor.array() for name, tensor in tensors.items() if isinstance(tensor, _Tensor)}
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(f"The checkpoint cannot be read: {error}") from error


def _load(file: BinaryIO, storages: dict[str, _Storage]) -> Any:
    """The next pickle of the file."""
    return _Unpickler(file, storages).load()


def _fill(file: BinaryIO, storage: _Storage) -> None:
    size = int.from_bytes(file.read(8), "little")
    data = file.read(storage.values.nbytes)
    if size != len(storage.values) or len(data) != storage.values.nbytes:
        raise CheckpointError("The checkpoint is cut short.")
    storage.values[:] = np.frombuffer(data, storage.values.dtype)
