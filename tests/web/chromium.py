"""Debian's Chromium, for the tests of the page: on this machine or not, how it is started, what time it has."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserType, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")

PATIENCE = 60_000
"""Milliseconds; the machine may be busy."""
NOW = datetime.datetime(2026, 10, 30, 12, tzinfo=datetime.timezone.utc)
"""What the browser's clock says, so that "the last 7 days" are the same whenever the tests run."""

expect.set_options(timeout=PATIENCE)


@contextmanager
def started() -> Iterator[Browser]:
    """Start a browser without a window, and end it."""
    with sync_playwright() as playwright, launched(playwright.chromium) as browser:
        yield browser


@contextmanager
def launched(kind: BrowserType, **options: Any) -> Iterator[Browser]:
    """
    Start one more browser of a running Playwright, and end it.

    :param options: of Playwright's ``launch``.
    """
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
    browser = kind.launch(executable_path=CHROMIUM, args=arguments, **options)
    yield browser
    browser.close()
