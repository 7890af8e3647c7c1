"""The queue of files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from queue import Empty

import pytest

from imagesite.filequeue import PAUSE
from tests.support.queues import connect
from tests.support.waiting import DEADLINE

WRITER = """
import sys, time
from tests.support.queues import connect
folder, count, delay = sys.argv[1:]
with connect(folder) as connection, connection.SimpleQueue("numbers") as queue:
    time.sleep(float(delay))
    for number in range(int(count)):
        queue.put(number)
"""


def read_beside_writer(folder: Path, count: int, delay: float = 0.0) -> list[int]:
    """What a reader gets of a writer that begins after ``delay`` seconds."""
    with connect(str(folder)) as connection, connection.SimpleQueue("numbers") as queue:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(count), str(delay)])
        received = []
        for _ in range(count):
            message = queue.get(timeout=DEADLINE)
            message.ack()
            received.append(message.payload)
        assert writer.wait(timeout=DEADLINE) == 0
    return received


def test_a_reader_beside_a_writer_gets_every_message_whole_and_in_order(tmp_path):
    assert read_beside_writer(tmp_path, 1000) == list(range(1000))


def test_a_reader_waits_for_a_writer_that_is_slow_to_start(tmp_path):
    assert read_beside_writer(tmp_path, 1, delay=3 * PAUSE) == [0]


@pytest.mark.parametrize("timeout", [0.1, 3 * PAUSE])
def test_a_reader_of_an_empty_queue_is_told_when_its_time_is_over(tmp_path, timeout):
    with connect(str(tmp_path)) as connection, connection.SimpleQueue("numbers") as queue, pytest.raises(Empty):
        queue.get(timeout=timeout)
