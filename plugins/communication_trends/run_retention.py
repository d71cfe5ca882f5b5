"""Removes old runs of the DAGs, with their task instances, over Airflow's public REST API."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx
from communication_trends.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    BaseHook,
    BaseOperator,
)

from communication_trends import settings
from communication_trends.compat import REST_API
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import KINDS, utc_now
from communication_trends.core.wording import count_text
from communication_trends.rest_api import address, logged_in

API_PAGE_SIZE = 100


class RemoveOldRunsOperator(BaseOperator):
    """
    Keep the latest runs of a DAG by state, and delete older ones with their task instances and XComs.

    :param period: name of the length of the DAG's periods: ``daily``, ``weekly`` or ``monthly``
    """

    ui_color = "#fce8e6"

    def __init__(self, *, period: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.period = period

    @property
    def target_dag_id(self) -> str:
        """Id of the DAG whose runs are removed."""
        return KINDS[self.period].dag_id

    def execute(self, context: Any) -> dict[str, int]:
        """
        Return how many runs were removed.

        :param context: Airflow's context.
        :raises AirflowFailException: when a setting or the connection cannot be used, the API refuses the login, the
            user may not delete runs, or some runs cannot be removed, after all others were.
        :raises AirflowException: when it answers with a server error, or not at all; Airflow retries it.
        """
        refused: dict[str, str] = {}
        with self._errors_explained() as conn_id:
            keep = {"success": settings.keep_completed_runs(), "failed": settings.keep_failed_runs()}
            with logged_in(BaseHook.get_connection(conn_id)) as client:
                removed = {
                    "removedCompletedRuns": self._remove(client, "success", keep["success"], refused),
                    "removedFailedRuns": self._remove(client, "failed", keep["failed"], refused),
                }
        if refused:
            reasons = ", ".join(f"{run_id!r} ({reason})" for run_id, reason in list(refused.items())[:20])
            retryable = any(reason.startswith("5") for reason in refused.values())
            raise (AirflowException if retryable else AirflowFailException)(
                f"{count_text(len(refused), 'run')} of {self.target_dag_id} could not be removed: {reasons}. "
                f"{sum(removed.values())} others were. docs/run-history.md says what to do with those that stay."
            )
        return removed

    @contextmanager
    def _errors_explained(self) -> Iterator[str]:
        """
        Run a block with the id of the API's connection.

        An error becomes one that names the setting or connection, and that Airflow retries if that may help.
        """
        try:
            conn_id = settings.api_conn_id()
            yield conn_id
        except InvalidInputError as error:
            raise AirflowFailException(str(error)) from None
        except AirflowNotFoundException:
            raise AirflowFailException(
                f"connection {conn_id!r} is not defined. Add it, with the login of a user who may delete runs of "
                f"{self.target_dag_id}: docs/run-history.md."
            ) from None
        except httpx.HTTPStatusError as error:
            message = f"connection {conn_id!r}: Airflow's API answered {error.response.status_code}"
            if error.response.status_code in (401, 403):
                raise AirflowFailException(
                    f"{message}. Give a user who may delete runs of {self.target_dag_id}."
                ) from None
            raise AirflowException(f"{message}: {error.response.text[:500]}") from None
        except httpx.HTTPError as error:
            at = address(BaseHook.get_connection(conn_id))
            raise AirflowException(f"connection {conn_id!r}: no answer from Airflow's API at {at}: {error}") from None
        # no address, or what is there is another page: Airflow's own, under a wrong path, or a proxy's login
        except (httpx.InvalidURL, AttributeError, LookupError, TypeError, ValueError) as error:
            raise AirflowFailException(
                f"connection {conn_id!r}: Airflow's API is not at its address ({error!r}). Correct its host, port, "
                "schema (http or https) and the path of its extra: docs/run-history.md."
            ) from error

    def _remove(self, client: httpx.Client, state: str, keep: int, refused: dict[str, str]) -> int:
        """Remove all but the latest runs that ended in a state, note those that could not be, return how many were."""
        if not keep:
            self.log.info("All runs that ended %s are kept.", state)
            return 0
        path = f"{REST_API}/dags/{self.target_dag_id}/dagRuns"
        removed = 0
        for run_id in self._old_runs(client, path, state, keep):
            answer = _delete(client, path, run_id)
            if answer is None:
                refused[run_id] = "its id cannot be a part of a URL there"
            elif answer.is_success:
                removed += 1
            elif answer.status_code == 404:
                self.log.warning("%r no longer exists: it was removed by something else.", run_id)
            elif answer.status_code in (401, 403):
                answer.raise_for_status()
            else:
                refused[run_id] = f"{answer.status_code}: {answer.text[:200]}"
        self.log.info("Removed %d runs that ended %s; the latest %d are kept.", removed, state, keep)
        return removed

    def _old_runs(self, client: httpx.Client, path: str, state: str, keep: int) -> list[str]:
        """Return the ids of the runs that ended in a state, but not of the latest ones and those that are needed."""
        query: dict[str, str | int] = {"state": state, "order_by": "-end_date", "limit": API_PAGE_SIZE}
        # a dict, so that each is there once: a run that ends in the meantime moves the others to the next page
        found: dict[str, None] = {}
        offset = keep
        while runs := client.get(path, params={**query, "offset": offset}).raise_for_status().json()["dag_runs"]:
            found |= {run["dag_run_id"]: None for run in runs if not self._is_needed(run)}
            offset += len(runs)
        return list(found)

    def _is_needed(self, run: dict[str, Any]) -> bool:
        """Whether Airflow may take its period for one that is still due, and run it again, if this run were gone."""
        if run["run_type"] not in ("scheduled", "backfill"):
            return False
        due = KINDS[self.period].last_due(utc_now()).previous()
        logical_date = datetime.datetime.fromisoformat(run["logical_date"].replace("Z", "+00:00"))
        return logical_date.replace(tzinfo=None) >= due.start


def _delete(client: httpx.Client, path: str, run_id: str) -> httpx.Response | None:
    """Delete a run, and return what the API answered; None where the run's URL means something else."""
    # The client takes "." and ".." for steps in the path, so they are quoted. A server or proxy may still do so,
    # and with slashes: then this is the URL of the DAG, or of a task instance of another run.
    url = f"{path}/{quote(run_id, safe='').replace('.', '%2E')}"
    if (run_id in (".", "..") or "/" in run_id) and not _is_run(client.get(url), run_id):
        return None
    return client.delete(url)


def _is_run(answer: httpx.Response, run_id: str) -> bool:
    """Whether what the API answered is the run."""
    try:
        found = answer.json()
    except ValueError:
        return False
    return answer.is_success and isinstance(found, dict) and found.get("dag_run_id") == run_id
