"""A headless Chromium that is logged in to an Airflow."""

from __future__ import annotations

import contextlib
import datetime
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from local.airflow import Airflow

CHROMIUM = shutil.which("chromium")
"""Its path; None where it is not installed."""


@contextlib.contextmanager
def contexts(airflow: Airflow, noon_after: datetime.date | None = None) -> Iterator[Callable[[], Any]]:
    """
    Start Chromium, and yield what makes a browser context of its own, with a cache of its own.

    :param airflow: whose admin is logged in.
    :param noon_after: the browser's clock says 12:00 UTC of the day after this one; by default the time that it is.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])

        def context() -> Any:
            made = browser.new_context(viewport={"width": 1440, "height": 1000})
            if noon_after:
                day = noon_after + datetime.timedelta(1)
                made.clock.set_fixed_time(datetime.datetime.combine(day, datetime.time(12), datetime.timezone.utc))
            made.add_cookies([{"name": "_token", "value": airflow.token, "url": airflow.url}])
            return made

        yield context
        browser.close()
