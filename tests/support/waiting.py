"""Waiting for a condition. No test relies on how fast a machine is: the deadline only ends what is broken."""

from __future__ import annotations

import time
from collections.abc import Callable

DEADLINE = 600.0  # seconds


def wait_until(ready: Callable[[], object], what: str, seconds: float = DEADLINE) -> None:
    """Poll until ``ready()`` is true. Raises TimeoutError, which names ``what`` was waited for."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {seconds} s")
        time.sleep(0.05)
