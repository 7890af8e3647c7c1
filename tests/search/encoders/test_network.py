"""Sessions: one per file and process, fit for threads and forks; no torch where the site runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from search.encoders import load
from search.methods.base import Picture
from tests.support.images import scene
from tests.support.paths import ROOT
from tests.support.waiting import DEADLINE


def test_two_encoders_of_one_file_share_its_session(encoders: Path) -> None:
    neural, conse = load(encoders, "efficientnet-lite0"), load(encoders, "conse")
    assert neural.network("image.onnx").session is conse.network("image.onnx").session


def test_thread_counts_have_sessions_of_their_own(encoders: Path) -> None:
    one, two = (load(encoders, "conse", threads).network("text.onnx") for threads in (1, 2))
    assert one.session is not two.session
    assert np.allclose(*(each.run(words()) for each in (one, two)), atol=1e-5)


def words() -> dict[str, np.ndarray]:
    return {"ids": np.array([[101, 3899, 102]]), "mask": np.ones((1, 3), np.int64)}


def test_a_child_process_sees_as_its_parent_does(encoders: Path) -> None:
    encoder = load(encoders, "conse", threads=2)
    expected = encoder.encode_image([Picture(scene(5))])
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            os.write(writing, encoder.encode_image([Picture(scene(5))]).tobytes())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = np.frombuffer(pipe.read(), np.float32)
    assert os.waitpid(child, 0)[1] == 0
    assert np.allclose(answer, expected[0], atol=1e-5)


WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder

REFUSED = {"torch", "torchvision", "timm", "transformers", "sentence_transformers", "open_clip"}

class Refuse(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise AssertionError(f"{name} is imported")
        return None

sys.meta_path.insert(0, Refuse())
from pathlib import Path
import numpy as np
from search.encoders import DEFAULTS, load, make
from search.methods.base import Picture
made = Path(sys.argv[2])
make("efficientnet-lite0", made)
for name in DEFAULTS:
    encoder = load(made if name == "efficientnet-lite0" else Path(sys.argv[1]), name)
    encoder.encode_image([Picture(np.zeros((30, 20, 3), np.uint8))])
    if encoder.knows_words:
        encoder.encode_text(["a dog"])
assert not REFUSED & set(sys.modules)
print("seen and read")
"""


def test_making_and_running_the_defaults_needs_no_torch(encoders: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(encoders), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "seen and read"
