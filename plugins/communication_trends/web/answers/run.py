"""What a run of a DAG is for."""

from __future__ import annotations

from typing import cast

from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from fastapi import HTTPException
from sqlalchemy import select

from communication_trends.compat import run_after, triggered_by
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import ONE_DAY, Granularity, resolve_period, utc_now
from communication_trends.web.models.base import Kind
from communication_trends.web.models.run import RunPeriod


def run_period(kind: Granularity, run_id: str) -> RunPeriod:
    """
    Return the period that a run is for.

    :param kind: the length of its periods; determines the DAG.
    :raises HTTPException: when there is no such run, or when it is for no period.
    """
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.dag_id == kind.dag_id, DagRun.run_id == run_id))
        if run is None:
            raise HTTPException(404, f"There is no run {run_id!r} of {kind.dag_id}.")
        try:
            period = resolve_period(
                kind,
                triggered_by=triggered_by(run),
                logical_date=run.logical_date,
                run_after=run_after(run),
                data_interval_start=run.data_interval_start,
                data_interval_end=run.data_interval_end,
                date=(run.conf or {}).get("date"),
                now=utc_now(),
            )
        except InvalidInputError as error:
            raise HTTPException(404, f"The run {run_id!r} is for no {kind.noun}: {error}") from None
        return RunPeriod(
            run_id=run_id,
            period=cast(Kind, kind.name),
            date=period.first_date,
            to=period.next_date - ONE_DAY,
            state=str(run.state),
        )
