"""Serve the site: check, prepare, then run the web server and the worker until told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connections

from gallery import samples
from imagesite.management import startup
from imagesite.management.supervisor import Child, Supervisor
from imagesite.webserver import in_url, web_command
from search.encoders import DEFAULTS
from search.model_registry import defaults, install
from search.retrieval.warmup import warm_up

# A server that listens on every address is reached at the loopback address.
LOOPBACK = {str(IPv4Address(0)): "127.0.0.1", str(IPv6Address(0)): "::1"}


class Command(BaseCommand):
    help = "Check, prepare and serve the site: web server and worker, until Ctrl-C."
    requires_system_checks = []  # they compile the kernels; first what fails fast

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1", help="environment: HOST")
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="environment: PORT")
        parser.add_argument("--workers", type=int, default=2, help="processes that answer requests")
        parser.add_argument("--concurrency", type=int, default=_processors(), help="processes that extract features")
        parser.add_argument("--no-samples", action="store_true", help="leave an empty site empty")

    def handle(self, *_: Any, **options: Any) -> None:
        host, port = options["host"], _port(options["port"])
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # preparing can be cut off anywhere, without a word
        self._prepare(host, port, options["no_samples"])
        children = [
            Child("web server", web_command(host, port, options["workers"])),
            Child("worker", worker_command(options["concurrency"]), niceness=5),
        ]
        environment = os.environ | {"IMAGESITE_DATA": str(settings.DATA), "PYTHONPATH": str(settings.BASE_DIR)}
        ready = partial(answers, LOOPBACK.get(host, host), port)
        if Supervisor(children, environment).run(ready, self._announcement(host, port)):
            raise CommandError("The site could not be started; the lines above say why.")

    def _prepare(self, host: str, port: int, no_samples: bool) -> None:
        startup.check_folder(settings.DATA)
        startup.check_port(host, port)
        startup.check_database()
        self._say("Preparing the database, static files and search (a minute or two the first time).")
        self.check()
        call_command("migrate", interactive=False, verbosity=0)
        startup.collect_static_files()
        warm_up(networks=False)  # kernels stay on disk; a network would only take up this process's memory
        self._make_models()
        if not no_samples and samples.due():
            self._say("Loading the sample gallery.")
            samples.load()
        connections.close_all()  # forked children must not share them

    def _make_models(self) -> None:
        """Make the default models, so that words find pictures from the start. Workers install what settings name."""
        if missing := [name for name in defaults.missing() if name in DEFAULTS]:
            self._say("Making the models that see and read (once).")
            # In a process of its own: this one lives long and would never give the memory back.
            done = subprocess.run(install.command(*missing), capture_output=True, text=True, check=False)
            if done.returncode:
                self._say(f"Without them, for now: {done.stderr.strip()}")

    def _announcement(self, host: str, port: int) -> Callable[[], None]:
        return partial(self._say, f"The site is at http://{in_url(LOOPBACK.get(host, host))}:{port}/ (Ctrl-C stops it)")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def worker_command(concurrency: int) -> list[str]:
    """Celery with its scheduler, and without messages among workers, which would pile up in a queue of files."""
    options = f"-B --concurrency {concurrency} --without-gossip --without-mingle --without-heartbeat"
    quiet = ["-W", "ignore:You're running the worker with superuser privileges"]
    return [sys.executable, *quiet, "-m", "celery", "--quiet", "-A", "imagesite", "worker", *options.split()]


def answers(host: str, port: int) -> bool:
    """Whether the site answers, even if only to redirect to HTTPS or to refuse the host name."""
    connection = HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status < 500
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CommandError(f"PORT must be a number from 1 to 65535, not “{text}”.")
    return int(text)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
