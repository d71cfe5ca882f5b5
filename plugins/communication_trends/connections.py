"""Airflow's connections: opened, bounded, closed again; and what an error on one means for a task instance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.providers.postgres.hooks.postgres import PostgresHook

from communication_trends import settings
from communication_trends.database import DATABASE_ERRORS, REMEDIES, Database, Limits, explain, sqlstate


@contextmanager
def connected(conn_id: str, limits: Limits | None = None) -> Iterator[Database]:
    """
    Open a connection and close it again, whatever happens.

    :param conn_id: id of an Airflow connection.
    :param limits: how long the server may take; by default as the settings say.
    :raises AirflowFailException: when Airflow knows no such connection.
    """
    try:
        connection = PostgresHook(postgres_conn_id=conn_id).get_conn()
    except AirflowNotFoundException as error:
        raise AirflowFailException(
            f"connection {conn_id!r} is not defined. Add it to Airflow, or set "
            f"AIRFLOW_CONN_{conn_id.upper()} in the environment of every worker."
        ) from error
    with closing(connection):
        yield Database(
            connection,
            sql_path=settings.sql_path(),
            limits=limits or Limits(settings.statement_timeout(), settings.lock_timeout()),
        )


@contextmanager
def errors_explained() -> Iterator[None]:
    """
    Turn PostgreSQL's errors into what an Airflow task instance raises.

    :raises AirflowFailException: for an error that no retry can mend, with its remedy; Airflow does not retry it.
    :raises AirflowException: for any other; Airflow retries it.
    """
    try:
        yield
    except DATABASE_ERRORS as error:
        if remedy := REMEDIES.get(sqlstate(error) or ""):
            raise AirflowFailException(f"{explain(error)}. No retry mends this: {remedy}.") from error
        raise AirflowException(explain(error)) from error
