"""What the compiled kernels need of numba, typed: a decorated function keeps its signature."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numba
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

HERE = Path(__file__).parent
SOURCES = HERE.parent  # the folder of all compiled code
HAS_KERNELS = re.compile(rb"^from search\.kernels\.compiled import", re.MULTILINE)
config: Any = numba.config
cgutils: Any = untyped_cgutils
ir: Any = cgutils.ir
types: Any = numba.types
# A Python or numpy integer; compiled code does not tell them apart.
Int: TypeAlias = Any
# Signatures of arrays: keys, rows of packed bits, one such row.
KEYS = types.Array(types.int64, 1, "C")
PACKED_ROWS = types.Array(types.uint64, 2, "C")
PACKED_ROW = types.Array(types.uint64, 1, "C")
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """For use by other compiled functions, and compiled with them."""
    return cast(F, numba.njit(function))


def entry(signature: Any) -> Callable[[F], F]:
    """For use by Python, without its lock; compiled when its module is imported, and cached on disk."""

    def compile_now(function: F) -> F:
        usual = config.CACHE_DIR
        config.CACHE_DIR = str(Path(usual or HERE / "__pycache__") / f"kernels-{sources_digest()}")
        try:
            return cast(F, numba.njit(signature, nogil=True, cache=True)(function))
        finally:
            config.CACHE_DIR = usual

    return compile_now


@cache
def sources_digest() -> str:
    """Digest of all files with compiled code: numba alone would not notice a change in an imported one."""
    return digest_of(SOURCES)


def digest_of(folder: Path) -> str:
    """Digest of the compiled code in and below a folder."""
    digest = hashlib.sha256()
    for path in kernel_files(folder):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def kernel_files(folder: Path) -> list[Path]:
    """``compiled.py`` and the files below a folder that import from it, as every file with kernels does."""
    paths = sorted(folder.rglob("*.py"))
    return [path for path in paths if path.name == Path(__file__).name or HAS_KERNELS.search(path.read_bytes())]


def _popcount(_context: Any, _word: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


def _prefetch(_context: Any, array: Any, item: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(fetch, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


# The number of set bits of a uint64, by the processor's own instruction.
popcount: Callable[[Any], Int] = cast(Any, intrinsic)(_popcount)
# Start to load item ``item`` of an array, all axes counted as one, into the processor's cache.
prefetch: Callable[[Any, Int], None] = cast(Any, intrinsic)(_prefetch)
