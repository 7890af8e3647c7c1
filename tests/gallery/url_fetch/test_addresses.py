"""Which addresses are asked, however they are written and whatever they redirect to."""

import pytest

from gallery.url_fetch import fetch
from tests.support.websites import PICTURE, PUBLIC, Internet, failure, served

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
