"""Web sites on loopback to fetch from, and two tables that stand for the public internet."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from urllib3.util import connection as urllib3_connection

from gallery.exceptions import FetchFailed
from gallery.url_fetch import fetch
from tests.support.waiting import DEADLINE

PUBLIC = "93.184.216.34"


PICTURE = b"nine byte"


ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "picture": (200, {"Content-Length": "9"}, PICTURE),
    "unannounced": (200, {}, PICTURE),
    "chunked": (200, {"Transfer-Encoding": "chunked"}, b"4\r\nnine\r\n5\r\n byte\r\n0\r\n\r\n"),
    "announced": (200, {"Content-Length": "9"}, b""),
    "cut_short": (200, {"Content-Length": "10"}, PICTURE),
    "gzip": (200, {"Content-Encoding": "gzip"}, PICTURE),
    "loop": (302, {"Location": "/loop"}, b""),
}


class Site(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.asked: list[BaseHTTPRequestHandler] = []
        self.over = threading.Event()
        self.dripped_to_the_end = False

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what is tested here."""


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self)
        self.close_connection = True
        name, _, argument = self.path[1:].partition("?")
        if name in ANSWERS:
            self.answer(*ANSWERS[name])
        else:
            getattr(self, f"send_{name}")(argument)

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def send_status(self, status: str) -> None:
        self.answer(int(status), {}, b"secret")

    def send_redirect(self, target: str) -> None:
        self.answer(302, {"Location": target, "Set-Cookie": "a=b"}, b"")

    def send_raw_redirect(self, _: str) -> None:
        self.send_redirect("/picture?größe".encode().decode("latin-1"))

    def send_chain(self, length: str) -> None:
        self.send_redirect(f"/chain?{int(length) - 1}" if int(length) > 1 else "/picture")

    def send_silence(self, _: str) -> None:
        self.server.over.wait(DEADLINE)

    def send_slow_body(self, _: str) -> None:
        self.answer(200, {}, b"")
        self.drip()

    def send_slow_headers(self, _: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Slow: ")
        self.drip()
        self.wfile.write(b"\r\n\r\n")

    def drip(self) -> None:
        for _ in range(int(20 * DEADLINE)):
            if self.server.over.wait(0.05):
                return
            self.wfile.write(b"x")
        self.server.dripped_to_the_end = True

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


@contextmanager
def served(identity: ssl.SSLContext | None = None) -> Iterator[Site]:
    with Site() as server:
        if identity:
            server.socket = identity.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()


class Internet:
    """``names``: what look-ups answer, one list after the other; ``routes``: the server behind an address."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.routes: dict[str, Site] = {}
        self.connected: list[tuple[str, int]] = []
        self.real_look_up, self.real_connect = socket.getaddrinfo, urllib3_connection.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)
        monkeypatch.setattr(urllib3_connection, "create_connection", self.connect)

    def look_up(self, host: str, *args: Any, **kwargs: Any) -> list[Any]:
        answers = self.names.get(host, [[host]])
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        if not addresses:
            raise socket.gaierror
        return [entry for each in addresses for entry in self.real_look_up(each, *args, **kwargs)]

    def connect(self, address: tuple[str, int], *args: Any, **kwargs: Any) -> socket.socket:
        self.connected.append(address)
        return self.real_connect(("127.0.0.1", self.routes[address[0]].server_port), *args, **kwargs)


def failure(url: str) -> str:
    with pytest.raises(FetchFailed) as caught:
        fetch(url)
    return str(caught.value)
