"""The whole site in a thread, as it is served in earnest."""

from __future__ import annotations

from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.db import connections


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = False  # so that closing waits for the last answer

    def process_request_thread(self, *request: Any) -> None:
        """A thread for each request, and so a connection to the database for each; it goes with its thread."""
        super().process_request_thread(*request)
        connections.close_all()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
