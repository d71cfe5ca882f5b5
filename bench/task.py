"""
The work of one task instance, without Airflow around it, in a separate process as a task has.

``python -m bench.task DSN ORGANIZATION PERIOD DATE LOOKBACK`` is that process.
"""

from __future__ import annotations

import datetime
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from communication_trends.core.aggregation import Aggregation
from communication_trends.core.database import Database, Limits
from communication_trends.core.period import KINDS
from communication_trends.core.report import AggregationReport, TrendStatus
from communication_trends.core.work import Work
from local import ROOT


def in_a_process(dsn: str, organization: str, period: str, date: str, lookback: int) -> dict[str, Any]:
    """
    Aggregate and store in a separate process.

    :param dsn: libpq connection string of the database.
    :param organization: its id.
    :param period: ``daily``, ``weekly`` or ``monthly``.
    :param date: a date in the period, UTC.
    :param lookback: how many periods before it as well.
    :returns: seconds; what came out; the most memory, in MiB, that the process and its backend have had.
    """
    command = [sys.executable, "-m", "bench.task", dsn, organization, period, date, str(lookback)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def work(
    connection: psycopg.Connection[Any], organizations: Sequence[str], period: str, date: str, lookback: int
) -> AggregationReport:
    """
    Aggregate and store with the default limits.

    :param connection: to the database with messages and trends.
    :param organizations: their ids.
    :param period: ``daily``, ``weekly`` or ``monthly``.
    :param date: a date in the period, UTC.
    :param lookback: how many periods before it as well.
    :raises RuntimeError: when any trend failed.
    """
    database = Database(connection, sql_path=ROOT / "sql", limits=Limits())
    own = KINDS[period].containing(datetime.date.fromisoformat(date))
    task = Work(organizations, own, lookback_periods=own.earlier(lookback))
    outcome = Aggregation(task, source=database).run()
    if failed := outcome.of(TrendStatus.FAILED):
        raise RuntimeError(failed[0].reason)
    return outcome


def _measured(dsn: str, organization: str, period: str, date: str, lookback: str) -> dict[str, Any]:
    with psycopg.connect(dsn) as connection:
        started = time.monotonic()
        outcome = work(connection, [organization], period, date, int(lookback))
        seconds = time.monotonic() - started
        status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
    sizes = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "seconds": round(seconds, 1),
        "outcome": [(result.status, result.messages) for result in outcome.results],
        "processMegabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        # its shared buffers included
        "backendMegabytes": round(int(sizes["VmHWM"].split()[0]) / 1024),
    }


if __name__ == "__main__":
    print(json.dumps(_measured(*sys.argv[1:])))
