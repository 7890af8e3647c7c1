"""Downloads that fail at once where there is no network, and say what to do instead."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from search.encoders.exceptions import EncoderNotMade
from search.encoders.export import needed

TIMEOUT = 4.0  # seconds for a hub to answer at all
STALLED = 30.0  # seconds without a byte


@contextmanager
def downloading(name: str, url: str, cure: str) -> Iterator[None]:
    """What is fetched inside comes from the local cache if ``url``'s host is out of reach.

    A failure is EncoderNotMade with the reason, and with ``cure``.
    """
    constants = needed("huggingface_hub.constants")
    reached = reachable(url)
    before = constants.HF_HUB_OFFLINE, socket.getdefaulttimeout()
    constants.HF_HUB_OFFLINE = before[0] or not reached
    socket.setdefaulttimeout(STALLED if reached else TIMEOUT)
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        host = urlsplit(url).hostname
        reason = f"{host} refused or sent something else: {_short(error)}" if reached else f"{host} is out of reach"
        raise EncoderNotMade(f"“{name}” cannot be fetched: {reason}. {cure}") from error
    finally:
        constants.HF_HUB_OFFLINE = before[0]
        socket.setdefaulttimeout(before[1])


def reachable(url: str) -> bool:
    """Whether anything answers there, through a proxy if the environment names one."""
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
    pool = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
    try:
        pool.request("HEAD", url, timeout=TIMEOUT, retries=False, redirect=False)
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return False
    return True


def hub() -> str:
    """Address of the model hub that timm and open_clip load from."""
    return str(needed("huggingface_hub.constants").ENDPOINT)


def hub_file(repository: str, file: str) -> str:
    """Where a file of a repository can be downloaded with a browser."""
    return f"{hub()}/{repository}/resolve/main/{file}"


def hub_licence(repository: str) -> str:
    """What the repository's card states; "not stated" also if it cannot be asked."""
    api: Any = needed("huggingface_hub")
    try:
        card = api.model_info(repository, timeout=TIMEOUT).card_data
    except (OSError, RuntimeError, ValueError):
        return "not stated"
    return str(getattr(card, "license", None) or "not stated")


def local_file(path: Path) -> Path:
    """The path, if there is such a file."""
    if not path.exists():
        raise EncoderNotMade(f"There is no file {path}.")
    return path


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]} ..."
