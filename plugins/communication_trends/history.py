"""Removes old runs of the DAG, with their task instances, over Airflow's public REST API."""

from __future__ import annotations

import datetime
from typing import Any

import httpx
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, BaseHook, BaseOperator

from communication_trends import settings
from communication_trends.compat import REST_API, rest_api_authentication

PAGE = 100
RECENT = datetime.timedelta(days=3)
"""Age of the day of a scheduled run up to which the run is kept in any case."""


class RemoveOldRunsOperator(BaseOperator):
    """
    Keep the latest runs of a DAG by state, and delete older ones with their task instances and XComs.

    :param target_dag_id: the DAG whose runs are counted
    """

    ui_color = "#fce8e6"

    def __init__(self, *, target_dag_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_dag_id = target_dag_id

    def execute(self, context: Any) -> dict[str, int]:
        """
        Return how many runs were removed.

        :param context: Airflow's context.
        :raises AirflowFailException: when the API refuses the login or the user may not delete runs.
        :raises AirflowException: when it answers with any other error, or not at all; Airflow retries it.
        """
        conn_id = settings.api_conn_id()
        connection = BaseHook.get_connection(conn_id)
        address = f"{connection.schema or 'http'}://{connection.host}:{connection.port or 8080}"
        try:
            with httpx.Client(base_url=address, timeout=60) as client:
                rest_api_authentication(client, connection.login or "", connection.password or "")
                return {
                    "removedCompletedRuns": self._remove(client, "success", settings.keep_completed_runs()),
                    "removedFailedRuns": self._remove(client, "failed", settings.keep_failed_runs()),
                }
        except httpx.HTTPStatusError as error:
            message = f"connection {conn_id!r}: Airflow's API answered {error.response.status_code}"
            if error.response.status_code in (401, 403):
                raise AirflowFailException(
                    f"{message}. Give a user who may delete runs of {self.target_dag_id}."
                ) from None
            raise AirflowException(f"{message}: {error.response.text[:500]}") from None
        except httpx.HTTPError as error:
            raise AirflowException(
                f"connection {conn_id!r}: no answer from Airflow's API at {address}: {error}"
            ) from None

    def _remove(self, client: httpx.Client, state: str, keep: int) -> int:
        if not keep:
            self.log.info("All runs that ended %s are kept.", state)
            return 0
        path = f"{REST_API}/dags/{self.target_dag_id}/dagRuns"
        removed = 0
        # what is left after the latest ones moves up with each page removed
        offset = keep
        query: dict[str, str | int] = {"state": state, "order_by": "-end_date", "limit": PAGE}
        while runs := client.get(path, params={**query, "offset": offset}).raise_for_status().json()["dag_runs"]:
            old = [run for run in runs if not _is_recent_scheduled(run)]
            for run in old:
                client.delete(f"{path}/{run['dag_run_id']}").raise_for_status()
            removed += len(old)
            offset += len(runs) - len(old)
            self.log.info("Removed %d runs that ended %s so far; the latest %d are kept.", removed, state, keep)
        return removed


def _is_recent_scheduled(run: dict[str, Any]) -> bool:
    """Whether Airflow may take the day for one that is still due, and run it again, if this run were gone."""
    if run["run_type"] != "scheduled":
        return False
    day = datetime.datetime.fromisoformat(run["logical_date"].replace("Z", "+00:00"))
    return day > datetime.datetime.now(datetime.timezone.utc) - RECENT
