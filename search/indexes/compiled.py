"""What the compiled kernels need of numba, typed: a decorated function keeps its signature."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import numba
from numba.extending import intrinsic

HERE = Path(__file__).parent
config: Any = numba.config
types: Any = numba.types
# A Python or numpy integer; compiled code does not tell them apart.
Int: TypeAlias = Any
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """For use by other compiled functions, and compiled with them."""
    return cast(F, numba.njit(function))


def entry(signature: Any) -> Callable[[F], F]:
    """For use by Python, without its lock; compiled when its module is imported, and kept on disk."""

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
    sources = [path.read_bytes() for path in sorted(HERE.glob("*.py"))]
    return hashlib.sha256(b"".join(text for text in sources if b"indexes.compiled" in text)).hexdigest()[:16]


def _popcount(_context: Any, _word: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


# The number of set bits of a uint64, by the processor's own instruction.
popcount: Callable[[Any], Int] = cast(Any, intrinsic)(_popcount)
