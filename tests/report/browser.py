"""A real browser without a window: Debian's chromium, or any Chromium that is installed, driven by Playwright."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Visit:
    """A page that is open, and what it did unasked."""

    page: Any
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def lit(self, what: str) -> list[int]:
        """Numbers of the chains (``path.chain``) or servers (``rect.hosted``) that are highlighted."""
        kind = "chain" if what == "path.chain" else "server"
        found: list[int] = self.page.eval_on_selector_all(
            f"{what}.on", f"elements => elements.map(element => Number(element.dataset.{kind})).sort((a, b) => a - b)"
        )
        return found

    @property
    def said(self) -> str:
        """What the page says of the choice."""
        text: str = self.page.locator("#said").inner_text()
        return text


@contextmanager
def launched() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")
    executable = next((found for found in map(shutil.which, NAMES) if found), None)
    if executable is None:
        pytest.skip(f"no Chromium: none of {', '.join(NAMES)} is on the path")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable)
        yield browser
        browser.close()


@contextmanager
def visited(browser: Any, file: Path, width: int = 1100, height: int = 900, **options: Any) -> Iterator[Visit]:
    """The file, opened from disk in a context of its own."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    visit = Visit(page)
    page.on("console", lambda message: visit.console.append(message.text))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("request", lambda request: visit.requests.append(request.url))
    page.add_init_script("window.attacks = 0; window.attack = () => { window.attacks += 1; }")
    page.goto(file.as_uri())
    yield visit
    context.close()
