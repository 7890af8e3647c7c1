"""What the compiled kernels need of numba, typed: a decorated function keeps its signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
from numba.extending import intrinsic

types: Any = numba.types
# A Python or numpy integer; compiled code does not tell them apart.
Int: TypeAlias = Any
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """For use by other compiled functions, and compiled with them."""
    return cast(F, numba.njit(function))


def entry(signature: Any) -> Callable[[F], F]:
    """For use by Python, without its lock; compiled when the module is imported, then kept on disk."""
    return cast(Callable[[F], F], numba.njit(signature, nogil=True, cache=True))


def _popcount(_context: Any, _word: Any) -> Any:
    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


# The number of set bits of a uint64, by the processor's own instruction.
popcount: Callable[[Any], Int] = cast(Any, intrinsic)(_popcount)
