"""The work on a test's database, without Airflow."""

from __future__ import annotations

import datetime
from typing import Any

import psycopg

from communication_trends.core.database import Database, Limits
from communication_trends.core.period import DAILY
from communication_trends.core.report import AggregationReport
from local import ROOT

NOV_8 = DAILY.containing(datetime.date(2026, 11, 8))


def opened(connection: psycopg.Connection[Any]) -> Database:
    connection.autocommit = False
    return Database(connection, sql_path=ROOT / "sql", limits=Limits(statement=60, lock=10))


def since(database, date: str) -> None:
    """Let all organizations have existed since a date."""
    database.connection.execute("update organizations set created_at = %s", [date])


def changes(outcome: AggregationReport) -> dict[tuple[str, str], str]:
    return {(outcome.name(one.organization), str(one.period)): one.status for one in outcome.results}
