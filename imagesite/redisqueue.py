"""Redis as a queue for Celery: kombu's, for workers that go on after Redis was gone for a while."""

from __future__ import annotations

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """The messages that a worker has taken and not acknowledged yet."""

    def ack(self, delivery_tag: str) -> None:
        """In kombu a message counts as taken until Redis has heard that it is done.

        A worker that takes one at a time would never ask Redis for another, and so never notice that it is back. Redis
        gives the task out once more, if it still knows of it: tasks may run twice.
        """
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)


class Channel(redis.Channel):
    QoS = QoS


class Transport(redis.Transport):
    Channel = Channel
