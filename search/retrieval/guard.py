"""One space that cannot answer must not take the others with it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError

from search.exceptions import SpaceUnavailable, message_of
from search.types import Message

log = logging.getLogger(__name__)


@contextmanager
def skipping(space: str, skipped: dict[str, Message]) -> Iterator[None]:
    """If the space cannot answer, or its method is broken, the reason goes to ``skipped`` and the caller goes on."""
    try:
        yield
    except SpaceUnavailable as error:
        skipped[space] = error.message
    except (OperationalError, InterfaceError):  # the database is away, for all spaces
        raise
    except Exception:
        log.exception("Space %s failed", space)
        skipped[space] = message_of("method_failed")
