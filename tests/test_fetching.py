"""Fetching from real servers on loopback; what stands for the public internet is two tables."""

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings
from urllib3.util import connection as urllib3_connection

from gallery.exceptions import FetchFailed
from gallery.url_fetch import fetch

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
NOT_A_URL = r"""
    pictures.test/picture //pictures.test/picture http:pictures.test http:// http:///picture http://:80/
    data:image/png;base64,AAAA file:///etc/passwd javascript:alert(1) ftp://pictures.test/ gopher://pictures.test/
    http://./ http://[::1 http://pictures.test:port/ http://pictures.test:99999/ http://pictures%2etest%2f/
    http://[fe80::1%25eth0]/ http://[2606:2800:220:1::1%25lo]/ http://①②⑦.⓪.⓪.①/
    http:\\pictures.test\picture http://pictures.test\@127.0.0.1/
"""
CONTROL = [
    "http://pictures.test/\r\nHost: other.test",
    "http://pictures\t.test/",
    "http://pictures\x00.test/",
]
PRIVATE_HOSTS = """
    127.0.0.1 127.1 127.0.0.1. 2130706433 0x7f.1 0x7f000001 0177.0.0.1 017700000001 %31%32%37.0.0.1
    localhost LOCALHOST. 0 0.0.0.0 10.0.0.1 100.64.0.1 100.100.100.200 168.63.129.16 169.254.169.254
    172.16.0.1 192.0.0.192 192.168.0.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 [::] [::1]
    [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:a9fe:a9fe] [::ffff:0:127.0.0.1] [64:ff9b::7f00:1]
    [64:ff9b:1::808:808] [2002:7f00:1::] [2001:0:5db8:d822::80ff:fffe] [2001:0:a00:1::f7f7:f7f7]
    [2001:0:5db8:d822::a247:27dd]
    [2001:db8::1] [fc00::1] [fd00:ec2::254] [fe80::1] [fec0::1] [ff02::1] [ff0e::1]
"""
REFUSED_TARGETS = """
    http://127.0.0.1/ //localhost/ https://169.254.169.254/ file:///etc/passwd http://a:b@pictures.test/
    http://pictures.test:22/ http://[::1
"""
PUBLIC_HOSTS = {
    **{PUBLIC: PUBLIC, "1572395042": PUBLIC, "[2606:2800:220:1::1]": "2606:2800:220:1::1"},
    **{f"[::ffff:{PUBLIC}]": f"::ffff:{PUBLIC}", "[64:ff9b::5db8:d822]": "64:ff9b::5db8:d822"},
    "[2002:5db8:d822::]": "2002:5db8:d822::",
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
        self.server.over.wait(10)

    def send_slow_body(self, _: str) -> None:
        self.answer(200, {}, b"")
        self.drip()

    def send_slow_headers(self, _: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Slow: ")
        self.drip()
        self.wfile.write(b"\r\n\r\n")

    def drip(self) -> None:
        for _ in range(100):
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


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A server that may be asked, since private addresses are allowed."""
    settings.FETCH_PRIVATE_ADDRESSES = True
    with served() as server:
        yield server


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


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Internet]:
    """One public server at PUBLIC, also named pictures.test; private addresses are not allowed."""
    settings.FETCH_PRIVATE_ADDRESSES = False
    world = Internet(monkeypatch)
    world.names["pictures.test"] = [[PUBLIC]]
    with served() as server:
        world.routes[PUBLIC] = server
        yield world


def failure(url: str) -> str:
    with pytest.raises(FetchFailed) as caught:
        fetch(url)
    return str(caught.value)


@pytest.mark.parametrize("path", ["/picture", "/picture#part\n", "/unannounced", "/chunked", "/redirect?/picture"])
def test_it_fetches_the_bytes_as_they_are(site: Site, path: str) -> None:
    assert fetch(site.url(path)) == PICTURE


def test_every_bad_status_reads_the_same(site: Site) -> None:
    messages = {failure(site.url(f"/status?{status}")) for status in (201, 204, 304, 401, 403, 404, 500)}
    assert len(messages) == 1
    assert "No picture was found" in messages.pop()


def test_it_gives_nothing_away_and_uses_no_proxy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    fetch(site.url("/redirect?/picture"))
    assert {name.lower(): value for name, value in site.asked[-1].headers.items()} == {
        "host": f"127.0.0.1:{site.server_port}",
        "user-agent": "imagesite/1",
        "accept": "image/*",
        "accept-encoding": "identity",
    }


@pytest.mark.parametrize("path", ["/announced", "/unannounced", "/chunked"])
def test_too_large_a_file_is_refused(site: Site, settings: Settings, path: str) -> None:
    settings.MAX_IMAGE_BYTES = len(PICTURE) - 1
    assert "larger than 8 bytes" in failure(site.url(path))


@pytest.mark.parametrize("path", ["/picture", "/unannounced", "/chunked"])
def test_a_file_of_just_the_limit_is_taken(site: Site, settings: Settings, path: str) -> None:
    settings.MAX_IMAGE_BYTES = len(PICTURE)
    assert fetch(site.url(path)) == PICTURE


def test_a_body_that_breaks_off_or_is_packed_is_refused(site: Site) -> None:
    assert "could not be reached" in failure(site.url("/cut_short"))
    assert "No picture was found" in failure(site.url("/gzip"))


@pytest.mark.parametrize("path", ["/silence", "/slow_body", "/slow_headers", "/redirect?/slow_headers"])
def test_a_slow_site_is_given_up(site: Site, settings: Settings, path: str) -> None:
    settings.FETCH_TIMEOUT = 0.4
    assert "longer than 0.4 seconds" in failure(site.url(path))
    assert not site.dripped_to_the_end


def test_a_slow_name_server_is_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.FETCH_TIMEOUT = 0.2
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(10))
    assert "longer than 0.2 seconds" in failure("http://pictures.test/")
    over.set()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_site_that_does_not_connect_is_told_without_detail(settings: Settings, scheme: str) -> None:
    settings.FETCH_PRIVATE_ADDRESSES, settings.FETCH_TIMEOUT = True, 2
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"
        if scheme == "https":
            assert "could not be reached" in failure(url)
    assert "could not be reached" in failure(url)


def test_it_follows_three_redirects_and_no_more(site: Site) -> None:
    assert fetch(site.url("/chain?3")) == PICTURE
    assert "redirects too often" in failure(site.url("/chain?4"))
    assert "redirects too often" in failure(site.url("/loop"))


def test_the_next_address_is_tried_when_one_is_closed(internet: Internet) -> None:
    internet.names["two.test"] = [["93.184.216.35", PUBLIC]]
    with served() as internet.routes["93.184.216.35"]:
        pass
    assert fetch("http://two.test/picture") == PICTURE
    assert internet.connected == [("93.184.216.35", 80), (PUBLIC, 80)]


@pytest.mark.parametrize("url", ["", "http://pictures .test/", *CONTROL, *NOT_A_URL.split()])
def test_what_is_not_a_web_address_is_refused(internet: Internet, url: str) -> None:
    assert "begins with http:// or https://" in failure(url)
    assert internet.connected == []


@pytest.mark.parametrize("place", ["good@127.0.0.1", "a:b@pictures.test", "pictures.test@[::1]"])
def test_credentials_are_refused(internet: Internet, place: str) -> None:
    assert "Remove the user name" in failure(f"http://{place}/picture")
    assert internet.connected == []


@pytest.mark.parametrize("port", [0, 22, 25, 6379, 9000])
def test_ports_that_are_not_for_the_web_are_refused(internet: Internet, port: int) -> None:
    assert "Only the ports 80, 443, 8080, 8443" in failure(f"http://pictures.test:{port}/picture")
    assert internet.connected == []


@pytest.mark.parametrize("host", PRIVATE_HOSTS.split())
def test_private_addresses_are_refused_however_they_are_written(internet: Internet, host: str) -> None:
    assert "not on the public internet" in failure(f"http://{host}/picture")
    assert internet.connected == []


@pytest.mark.parametrize("host", PUBLIC_HOSTS)
def test_public_addresses_are_allowed_however_they_are_written(internet: Internet, host: str) -> None:
    internet.routes = {PUBLIC_HOSTS[host]: internet.routes[PUBLIC]}
    assert fetch(f"http://{host}/picture") == PICTURE


def test_a_name_with_one_private_address_is_refused(internet: Internet) -> None:
    internet.names["mixed.test"] = [[PUBLIC, "127.0.0.1"]]
    assert "not on the public internet" in failure("http://mixed.test/picture")
    assert internet.connected == []


@pytest.mark.parametrize("unknown", ["a..test", f"{'a' * 63}b.test", ".test", "unknown.test"])
def test_nobody_learns_whether_a_private_name_exists(internet: Internet, unknown: str) -> None:
    internet.names |= {"intranet.test": [["10.0.0.1"]], "unknown.test": [[]]}
    assert failure("http://intranet.test/") == failure(f"http://{unknown}/")


def test_the_connection_goes_to_the_address_that_was_checked(internet: Internet) -> None:
    internet.names["rebinding.test"] = [[PUBLIC], ["127.0.0.1"]]
    assert fetch("http://rebinding.test/picture") == PICTURE
    assert internet.connected == [(PUBLIC, 80)]
    assert internet.routes[PUBLIC].asked[0].headers["Host"] == "rebinding.test"


def test_a_redirect_is_looked_up_and_checked_again(internet: Internet) -> None:
    internet.names["rebinding.test"] = [[PUBLIC], ["127.0.0.1"]]
    assert "not on the public internet" in failure("http://rebinding.test/redirect?/picture")
    assert internet.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize("target", REFUSED_TARGETS.split())
def test_a_redirect_to_a_refused_place_is_refused(internet: Internet, target: str) -> None:
    failure(f"http://pictures.test/redirect?{target}")
    assert internet.connected == [(PUBLIC, 80)]


def test_other_scripts_are_encoded(internet: Internet) -> None:
    internet.names["xn--bcher-kva.test"] = [[PUBLIC]]
    assert fetch("http://Bücher.test/picture?größe") == fetch("http://pictures.test/raw_redirect") == PICTURE
    first, _, last = internet.routes[PUBLIC].asked
    assert first.headers["Host"] == "xn--bcher-kva.test"
    assert first.path == last.path == "/picture?gr%C3%B6%C3%9Fe"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for pictures.test, signed by itself; its key is beside it."""
    if not shutil.which("openssl"):
        pytest.skip("the openssl program is not installed")
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pictures.test"
    names = f"-addext subjectAltName=DNS:pictures.test -keyout {path.with_suffix('.key')} -out {path}"
    subprocess.run([*command.split(), *names.split()], check=True, capture_output=True)
    return path


@pytest.fixture
def secure(internet: Internet, certificate: Path) -> Iterator[Internet]:
    identity = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    identity.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with served(identity) as internet.routes[PUBLIC]:
        yield internet


@pytest.fixture
def trusted(secure: Internet, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Internet:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return secure


def test_https_is_checked_against_the_name(trusted: Internet) -> None:
    trusted.names["other.test"] = [[PUBLIC]]
    assert fetch("https://pictures.test./picture") == PICTURE
    assert trusted.connected == [(PUBLIC, 443)]
    assert "could not be reached" in failure("https://other.test/picture")
    assert "could not be reached" in failure(f"https://{PUBLIC}/picture")
    assert len(trusted.routes[PUBLIC].asked) == 1


@pytest.mark.parametrize("path", ["/slow_body", "/slow_headers"])
def test_a_slow_https_site_is_given_up(trusted: Internet, settings: Settings, path: str) -> None:
    settings.FETCH_TIMEOUT = 1.5
    assert "longer than 1.5 seconds" in failure(f"https://pictures.test{path}")
    assert not trusted.routes[PUBLIC].dripped_to_the_end


def test_an_unknown_authority_is_refused(secure: Internet) -> None:
    assert "could not be reached" in failure("https://pictures.test/picture")
    assert secure.routes[PUBLIC].asked == []
