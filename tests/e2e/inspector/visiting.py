"""What tests do with a page of the inspector."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from playwright.sync_api import ConsoleMessage, Page, expect

INSTRUCTION = "Explain why we write tests before we refactor."


def made(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Runs in a thread of its own: the browser's has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()


class Visit:
    """A page and all that it asked for, and complained of. `expected` are statuses that tests mean to cause."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.origins = (f"{url}/",)
        self.expected: set[int] = set()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        """Chromium itself logs every refused call; those that a test causes are no complaint."""
        meant = any(f"status of {status}" in message.text for status in self.expected)
        if message.type in ("error", "warning") and not meant:
            self.complaints.append(message.text)

    def open(self, path: str = "") -> Page:
        """The page at `#/path`."""
        self.page.goto(f"{self.url}/#/{path}")
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        return self.page

    def plotted(self, section: str) -> Any:
        """What plotly draws in a section, once it has."""
        plot = self.page.locator(f"#{section} .plot")
        plot.scroll_into_view_if_needed()
        expect(plot).to_have_attribute("data-drawn", "true")
        return json.loads(plot.evaluate("element => JSON.stringify(element.data)"))

    def cell(self, cycle: int, round: int, state: int) -> Any:
        return self.page.locator(f'#population [data-at="{cycle}.{round}.{state}"]')


def of_type(recording: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [event for event in recording["events"] if event["type"] == kind]
