"""Running an ONNX file: one session per file, thread count and process, shared by all threads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Arrays = Mapping[str, NDArray[Any]]

_sessions: dict[tuple[str, int], InferenceSession] = {}
_inherited: list[dict[tuple[str, int], InferenceSession]] = []
_opening = Lock()


@dataclass(frozen=True)
class Network:
    """An ONNX file known by its SHA-256, run on ``threads`` threads a call (0: as many as there are cores).

    Calls from several threads run at the same time. With one thread a call stays on the caller's own
    thread, so a query never waits for the batches of others.
    """

    path: Path
    sha: str
    threads: int = 1

    def run(self, inputs: Arrays) -> NDArray[np.float32]:
        """The file's first output for these inputs."""
        answer: NDArray[np.float32] = self.session.run(None, dict(inputs))[0]
        return answer

    @property
    def batch(self) -> int:
        """The fastest number of pictures in a call: on a CPU so few that their activations stay in its cache."""
        return 32 if "CUDAExecutionProvider" in self.session.get_providers() else 2

    @property
    def session(self) -> InferenceSession:
        """Opened on first use in each process."""
        key = (self.sha, self.threads)
        if key not in _sessions:
            with _opening:
                if key not in _sessions:
                    _sessions[key] = _open(self.path, self.threads)
        return _sessions[key]


def _open(path: Path, threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or os.cpu_count() or 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that spin between two calls take the cores from decoding and from other processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    preferred = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in preferred if name in onnxruntime.get_available_providers()]
    return onnxruntime.InferenceSession(str(path), options, providers=providers)


def _forget() -> None:
    """Sessions and locks do not survive a fork: the child opens its own."""
    global _opening
    _opening = Lock()
    # Closing a session would wait for threads that the child does not have.
    _inherited.append(dict(_sessions))
    _sessions.clear()


os.register_at_fork(after_in_child=_forget)
