"""A real browser against a live server: the machine's own Chromium, never a downloaded one."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from wsgiref.simple_server import make_server

import pytest
from django.core.wsgi import get_wsgi_application
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, expect, sync_playwright

from tests.support.live_server import Quiet, Server

PATIENCE = 60_000  # milliseconds; nothing takes so long that goes well
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


WATCH = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.blockedURI));
"""


@dataclass
class Watched:
    """A page, and what went wrong in it."""

    page: Page
    base: str
    wrong: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def scripted(self) -> None:
        """What only a page with JavaScript can tell: shifts, and what its policy has blocked."""
        assert self.page.evaluate("window.shift") < 0.05
        assert self.page.evaluate("window.violations") == []


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip("needs Chromium, which is not installed here (apt-get install chromium)")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        # Playwright keeps an event loop in this thread; Django would take the tests for asynchronous code.
        before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        yield browser
        browser.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def address(transactional_db: None) -> Iterator[str]:
    """The whole site as it is served in earnest; Django's own test server would serve media and static files itself."""
    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[Callable[..., Watched]]:
    """Open a browser window; at the end, nothing may have gone wrong in any but what was asked for."""
    contexts: list[BrowserContext] = []
    opened: list[Watched] = []

    def window(expected: tuple[int, ...] = (), **options) -> Watched:
        context = chromium.new_context(**({"viewport": {"width": 1366, "height": 768}} | options))
        contexts.append(context)
        context.add_init_script(WATCH)
        context.set_default_timeout(PATIENCE)
        watched = Watched(context.new_page(), address)
        opened.append(watched)
        note = watched.wrong.append
        page = watched.page
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("requestfailed", lambda request: _given_up(request) or note(f"failed: {request.url}"))
        page.on("response", lambda answer: answer.status in expected or answer.ok or note_bad(note, answer))
        page.on("console", lambda line: line.type == "error" and not _of_answer(line.text) and note(line.text))
        return watched

    yield window
    for context in contexts:
        context.close()
    assert [wrong for watched in opened for wrong in watched.wrong] == []


def note_bad(note: Callable[[str], None], answer: Response) -> None:
    if answer.status >= 400:
        note(f"{answer.status} {answer.url}")


def _given_up(request: Request) -> bool:
    """A browser that goes on to another page drops what it was still loading."""
    return request.failure == "net::ERR_ABORTED"


def _of_answer(line: str) -> bool:
    """Requests that fail, or are answered with 400 and above, are noted as such; the console repeats them."""
    return line.startswith("Failed to load resource")


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
