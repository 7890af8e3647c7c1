"""The queue of files."""

from __future__ import annotations

import subprocess
import sys

from tests.support.queues import connect

WRITER = """
import sys
from kombu import Connection
from tests.support.queues import connect
with connect(sys.argv[1]) as connection, connection.SimpleQueue("numbers") as queue:
    for number in range(1000):
        queue.put(number)
"""


def test_a_reader_beside_a_writer_gets_every_message_whole_and_in_order(tmp_path):
    with connect(str(tmp_path)) as connection, connection.SimpleQueue("numbers") as queue:
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
        received = []
        for _ in range(1000):
            message = queue.get(timeout=60)
            message.ack()
            received.append(message.payload)
        assert writer.wait(timeout=60) == 0
    assert received == list(range(1000))
