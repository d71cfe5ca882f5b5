"""The metrics of a run and of the page's requests, sent through Airflow's export: StatsD, Datadog, OpenTelemetry."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from typing import Any

from communication_trends.compat import flush_metrics
from communication_trends.core.period import utc_now

log = logging.getLogger(__name__)


def send(summary: Mapping[str, Any], *, behind: int, started: datetime.datetime | None) -> None:
    """
    Send the metrics of a run as gauges named ``communication_trends.<period>.<trigger>.<metric>``.

    Nothing is raised: a run does not fail for its metrics. What went wrong is in the log.

    :param summary: what ``summarize`` returns.
    :param behind: organizations that lack a stored trend of the run's own period or of one that it looked back to.
    :param started: when the run started, aware; its seconds are counted from there.
    """
    try:
        # not at the top: only summarize sends metrics, and other task processes need not pay for the import
        from communication_trends.sdk import Stats

        period, trigger = summary["period"], summary["triggeredBy"]
        for metric, value in _gauges(summary, behind, started).items():
            # in the name, since plain StatsD has no tags; and as tags, for exports that have. Short: Airflow 2.11 cuts
            # a name for OpenTelemetry after 63 characters
            name = f"communication_trends.{period}.{trigger}.{metric}"
            Stats.gauge(name, value, tags={"period": period, "triggered_by": trigger})
        flush_metrics()
    # any exception: Airflow can be configured to use another client
    except Exception:
        log.exception("The run's metrics were not sent. The trends are stored.")


def send_request(*, seconds: float, is_refused: bool) -> None:
    """
    Count a request of the page's API: ``communication_trends.web.requests``, ``….refused``, the timer ``….duration``.

    Nothing is raised: no answer fails for its metrics.

    :param seconds: how long it took.
    :param is_refused: whether all connections were taken.
    """
    try:
        from communication_trends.sdk import Stats

        Stats.incr("communication_trends.web.requests")
        Stats.timing("communication_trends.web.duration", datetime.timedelta(seconds=seconds))
        if is_refused:
            Stats.incr("communication_trends.web.refused")
    # as above
    except Exception:
        log.debug("The request's metrics were not sent.", exc_info=True)


def _gauges(summary: Mapping[str, Any], behind: int, started: datetime.datetime | None) -> dict[str, float]:
    lookback = summary["lookback"]
    gauges = {
        "processed": summary["organizationsProcessed"],
        "failed": summary["errors"],
        "failed_earlier": lookback["failed"],
        "behind": behind,
        "kept": summary["keptTrends"] + lookback["kept"],
        "filled": lookback["filled"],
        "corrected": lookback["corrected"],
        "messages": summary["totalClassifications"],
    }
    if started:
        gauges["seconds"] = round((utc_now() - started).total_seconds(), 3)
    return gauges
