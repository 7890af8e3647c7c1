"""A site that may be asked, a public internet of one server, and the same with TLS."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.support.waiting import DEADLINE
from tests.support.websites import PUBLIC, Internet, Site, served


@pytest.fixture
def site(settings: Settings) -> Iterator[Site]:
    """A server that may be asked, since private addresses are allowed."""
    settings.FETCH_PRIVATE_ADDRESSES, settings.FETCH_TIMEOUT = True, DEADLINE
    with served() as server:
        yield server


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[Internet]:
    """One public server at PUBLIC, also named pictures.test; private addresses are not allowed."""
    settings.FETCH_PRIVATE_ADDRESSES, settings.FETCH_TIMEOUT = False, DEADLINE
    world = Internet(monkeypatch)
    world.names["pictures.test"] = [[PUBLIC]]
    with served() as server:
        world.routes[PUBLIC] = server
        yield world


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
