"""The queue in Redis."""

from __future__ import annotations

import logging

import pytest
from kombu import Connection

from tests.support.servers import Redis, missing_programs
from tests.support.waiting import DEADLINE

LOG = logging.getLogger(__name__)


def test_who_takes_one_at_a_time_asks_for_another_although_redis_was_away_when_it_was_done():
    if reason := missing_programs():
        pytest.skip(reason)
    redis = Redis()
    connection = Connection(redis.url, transport="imagesite.redisqueue:Transport")
    with connection, connection.SimpleQueue("numbers") as queue:
        queue.put(1)
        queue.channel.basic_qos(0, 1, False)
        message = queue.get(timeout=DEADLINE)
        assert not queue.channel.qos.can_consume()
        redis.stop()
        message.ack_log_error(LOG, connection.connection_errors)
        assert not message.acknowledged
        assert queue.channel.qos.can_consume()
