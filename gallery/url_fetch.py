"""Downloads a picture that a visitor names, without being led into the site's own network (SSRF).

By hand, because the usual clients look a name up again when they connect: between a check of its address and the
connection, DNS may answer something else (DNS rebinding). Here the address that was checked is the one connected to.
"""

import re
import socket
import ssl
import string
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import quote, urljoin

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Url, parse_url

from gallery.exceptions import FetchFailed

DEFAULT_PORTS = {"http": 80, "https": 443}
PORTS = (80, 443, 8080, 8443)  # of web servers; others could be made to take a request for a command
MAX_REDIRECTS, MAX_ADDRESSES = 3, 4
# Not compressed: a few bytes could expand to gigabytes.
HEADERS = {"User-Agent": "imagesite/1", "Accept": "image/*", "Accept-Encoding": "identity"}

GLOBAL_IPV6, NAT64 = ip_network("2000::/3"), ip_network("64:ff9b::/96")
# Blocks in which clouds answer their own machines, though they look public.
CLOUD_INTERNAL = (ip_network("192.0.0.0/24"), ip_network("168.63.129.16/32"))

NOT_A_URL = _("This is not the address of a picture. Paste one that begins with http:// or https://.")
NOT_REACHED = _("The site could not be reached. Check the address, or save the picture and upload it.")
# One text for both, so that nobody can ask which names exist inside the network.
NOT_PUBLIC = _("This address is unknown or not on the public internet. Check it, or upload the picture instead.")
NO_PICTURE = _("No picture was found at this address. Open it in a browser, save the picture and upload it.")


def fetch(url: str) -> bytes:
    """The body of ``url``: at most MAX_IMAGE_BYTES bytes, within FETCH_TIMEOUT seconds in all.

    Each redirect is checked like the first address. Raises FetchFailed, which never says what the server answered.
    """
    deadline = time.monotonic() + settings.FETCH_TIMEOUT
    try:
        for _hop in range(1 + MAX_REDIRECTS):
            parts = _parsed(url.strip())
            with _get(parts, deadline) as response:
                location = response.get_redirect_location()
                if not location:
                    return _body(response, deadline)
                # Some servers send raw UTF-8 here, which http.client reads as Latin-1.
                url = urljoin(parts.url, quote(location.encode("latin-1"), safe=string.punctuation))
    except (HTTPError, HTTPException, OSError, ValueError) as error:
        if time.monotonic() < deadline:
            raise FetchFailed("not_reached", NOT_REACHED) from error
        text = _("The site took longer than %(time)s seconds to answer. Save the picture and upload it.")
        raise FetchFailed("too_slow", text, time=f"{settings.FETCH_TIMEOUT:g}") from error
    text = _("This address redirects too many times. Paste the address of the picture itself.")
    raise FetchFailed("too_many_redirects", text)


def _parsed(url: str) -> Url:
    """The parts of a URL that may be fetched, its host in ASCII. Raises FetchFailed."""
    try:
        parts = parse_url(url)
    except ValueError as error:
        raise FetchFailed("not_a_url", NOT_A_URL) from error
    host = (parts.host or "").rstrip(".")
    # Parsers differ over control characters and backslashes, and some drop them silently.
    if parts.scheme not in DEFAULT_PORTS or not host or re.search(r"[\x00-\x1f\x7f\\]", url) or "%" in host:
        raise FetchFailed("not_a_url", NOT_A_URL)
    if parts.auth is not None:
        raise FetchFailed("credentials", _("Remove the user name and password from the address."))
    if parts.port not in (None, *PORTS) and not settings.FETCH_PRIVATE_ADDRESSES:
        text = _("Only the ports %(ports)s are allowed. Upload the picture instead.")
        raise FetchFailed("port_refused", text, ports=", ".join(map(str, PORTS)))
    return parts._replace(host=host)


@contextmanager
def _get(parts: Url, deadline: float) -> Iterator[BaseHTTPResponse]:
    """The answer to one GET, its body unread."""
    with closing(_connect(parts, deadline)) as connection, _shut_at(deadline, connection.sock):
        connection.timeout = _remaining(deadline)
        headers = {"Host": parts.netloc or "", **HEADERS}
        connection.request("GET", parts.request_uri, headers=headers, preload_content=False)
        with connection.getresponse() as response:
            yield response


def _connect(parts: Url, deadline: float) -> HTTPConnection:
    """A connection to the first of the checked addresses that takes one; the name is not looked up again."""
    addresses = _addresses(parts, deadline)
    for untried in range(len(addresses), 0, -1):
        # Half of an address's time is for connecting, half for the TLS handshake.
        connection = _connection(parts, addresses[-untried], _remaining(deadline) / untried / 2)
        try:
            connection.connect()
            return connection
        except (HTTPError, OSError):
            connection.close()
    raise OSError("no address took a connection")


def _connection(parts: Url, address: str, seconds: float) -> HTTPConnection:
    """Not yet open. With https, the certificate must be for the name in the URL, though the address is connected to."""
    port = parts.port or DEFAULT_PORTS[parts.scheme or ""]
    if parts.scheme == "http":
        return HTTPConnection(address, port, timeout=seconds)
    trust = ssl.create_default_context()
    return HTTPSConnection(address, port, timeout=seconds, server_hostname=parts.host, ssl_context=trust)


def _addresses(parts: Url, deadline: float) -> list[str]:
    """The addresses of the host, looked up once. Raises FetchFailed unless every one is public."""
    pool = ThreadPoolExecutor(1)  # getaddrinfo takes no timeout
    try:
        lookup = pool.submit(socket.getaddrinfo, (parts.host or "").strip("[]"), None, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in lookup.result(_remaining(deadline))))
    except (socket.gaierror, UnicodeError) as error:
        raise FetchFailed("not_public", NOT_PUBLIC) from error
    finally:
        pool.shutdown(wait=False)  # a lookup that hangs must not hold the request
    if not settings.FETCH_PRIVATE_ADDRESSES and not all(map(_is_public, addresses)):
        raise FetchFailed("not_public", NOT_PUBLIC)
    return addresses[:MAX_ADDRESSES]


def _is_public(address: str) -> bool:
    """Whether it is global unicast. Of IPv6 that carries an IPv4 address (mapped, NAT64, 6to4), that one decides."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        nat64 = IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in NAT64 else None
        if inner := [each for each in (ip.ipv4_mapped, nat64, ip.sixtofour) if each]:
            return all(_is_public(str(each)) for each in inner)
        return ip.is_global and ip in GLOBAL_IPV6
    return ip.is_global and not (ip.is_multicast or any(ip in block for block in CLOUD_INTERNAL))


def _body(response: BaseHTTPResponse, deadline: float) -> bytes:
    """The whole body of an answer with status 200. Raises FetchFailed."""
    if response.status != 200 or response.headers.get("Content-Encoding", "identity") != "identity":
        raise FetchFailed("no_picture", NO_PICTURE)
    limit, data = settings.MAX_IMAGE_BYTES, bytearray()
    size = response.length_remaining or 0
    while size <= limit and (chunk := response.read1(65_536, decode_content=False)):
        _remaining(deadline)
        data += chunk
        size = max(size, len(data))
    if size > limit:
        text = _("This file is larger than %(size)s bytes. Save a smaller copy and upload it.")
        raise FetchFailed("too_large", text, size=limit)
    _remaining(deadline)  # a connection that was shut looks like one that ended
    return bytes(data)


def _remaining(deadline: float) -> float:
    """Seconds until then. Raises TimeoutError when none is left."""
    if (seconds := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return seconds


@contextmanager
def _shut_at(deadline: float, connection: socket.socket) -> Iterator[None]:
    """Inside, every wait on the connection ends at the deadline: headers sent a byte at a time never time out."""

    def shut() -> None:
        with suppress(OSError):  # it may have ended just now
            socket.socket.shutdown(connection, socket.SHUT_RDWR)  # SSLSocket's own also drops its state

    timer = threading.Timer(_remaining(deadline), shut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
