"""A headless Chromium, as Debian packages it, that talks to nobody by itself."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium(profile: str = "", **options: Any) -> Iterator[BrowserContext]:
    """A window of a browser; `CHROMIUM` must exist. An empty `profile` folder is a browser that was never anywhere."""
    with sync_playwright() as playwright, ExitStack() as stack:
        folder = profile or stack.enter_context(TemporaryDirectory())
        context = playwright.chromium.launch_persistent_context(
            folder, executable_path=CHROMIUM, args=list(_FLAGS), **options
        )
        try:
            yield context
        finally:
            context.close()
