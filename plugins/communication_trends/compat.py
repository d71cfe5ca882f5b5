"""What differs between Airflow 2.11 and Airflow 3. Only requirements.py asks for the version as well."""

from __future__ import annotations

import datetime
import functools
import importlib
import os
from pathlib import Path
from typing import Any

import airflow
from packaging.version import Version

from communication_trends import sdk

_AIRFLOW = Version(airflow.__version__).release

PARSING_CONTEXT = ("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "_AIRFLOW_PARSING_CONTEXT_TASK_ID")
"""Environment variables by which Airflow says what of a DAG file is wanted."""

AIRFLOW_V_3_0_PLUS = _AIRFLOW >= (3, 0)
AIRFLOW_V_3_1_PLUS = _AIRFLOW >= (3, 1)
AIRFLOW_V_3_2_PLUS = _AIRFLOW >= (3, 2)

# a flag until Airflow 3.1, the multiplier itself since 3.2
exponential_backoff: Any = 2.0 if AIRFLOW_V_3_2_PLUS else True
"""Value of ``retry_exponential_backoff`` that doubles the delay with each retry."""


class _Airflow2DAG(sdk.DAG):
    """Airflow 2's DAG, with a reliable backfill command and failure callback."""

    def get_task(self, *args: Any, **kwargs: Any) -> Any:
        """Return a task; a mapped one can build its template context even if it was never expanded."""
        from airflow.models.mappedoperator import MappedOperator

        task: Any = super().get_task(*args, **kwargs)
        if isinstance(task, MappedOperator):
            task.get_mapped_ti_count = functools.partial(_mapped_ti_count, task)
        return task

    def run(self, **options: Any) -> None:
        """Make the runs of ``airflow dags backfill``, which calls this."""
        # not at the top: it loads Airflow's executors, which no task process needs
        from communication_trends.airflow2_backfill import run_backfill

        run_backfill(self, **options)


def _mapped_ti_count(task: Any, run_id: str, **kwargs: Any) -> int:
    """
    Count the task instances of a mapped task, or raise an error that Airflow also takes for NotMapped.

    The callback of a failed run gets the context of any of its task instances. For a mapped task whose list failed,
    Airflow 2 cannot build that context, and skips the callback (apache/airflow#49297).
    """
    from airflow.models.abstractoperator import NotMapped
    from airflow.models.expandinput import NotFullyPopulated

    # both bases: Airflow catches the other one where it counts the instances to create
    class NothingMappedError(NotFullyPopulated, NotMapped):
        pass

    try:
        return type(task).get_mapped_ti_count(task, run_id, **kwargs)
    except NotFullyPopulated as error:
        raise NothingMappedError(error.missing) from error


DAG = sdk.DAG if AIRFLOW_V_3_0_PLUS else _Airflow2DAG
"""Airflow's DAG; on Airflow 2 one that works around two of its bugs."""


# Airflow 3.1.0 has them as well, but its API server accepts no session cookie, the only thing a page can send
HAS_EXTERNAL_VIEWS = _AIRFLOW >= (3, 1, 2)
"""Whether Airflow's UI can show a page of a plugin."""


UI_ADDRESS = ("api", "") if AIRFLOW_V_3_0_PLUS else ("webserver", "http://localhost:8080")
"""The section of airflow.cfg that has ``base_url``, and its value where it is not set."""


REST_API = "/api/v2" if AIRFLOW_V_3_0_PLUS else "/api/v1"
"""Where Airflow's public REST API is."""


TASKS_HAVE_METADATA_DATABASE = not AIRFLOW_V_3_0_PLUS
"""Whether a task may use Airflow's own database; on Airflow 3 it has the API server instead."""


def rest_api_authentication(client: Any, login: str, password: str) -> None:
    """
    Log in to Airflow's REST API: on Airflow 3, get a token; on 2, send the password with each request.

    :param client: an httpx client whose base URL is the API server's.
    :param login: user name.
    :param password: password; on Airflow 2 the basic_auth backend has to be among ``[api] auth_backends``.
    :raises httpx.HTTPStatusError: when the login is refused.
    """
    if not AIRFLOW_V_3_0_PLUS:
        client.auth = (login, password)
        return
    answer = client.post("/auth/token", json={"username": login, "password": password}).raise_for_status()
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def run_after(dag_run: Any) -> datetime.datetime:
    """Return when the run was due, timezone-aware; before Airflow 3 that is its logical date."""
    return dag_run.run_after if AIRFLOW_V_3_0_PLUS else dag_run.logical_date


def triggered_by(dag_run: Any) -> str:
    """
    Return ``schedule``, ``backfill`` or ``manual``; any other type of run counts as manual.

    :param dag_run: the run, as in Airflow's context.
    """
    run_type = str(getattr(dag_run.run_type, "value", dag_run.run_type))
    return {"scheduled": "schedule", "backfill": "backfill"}.get(run_type, "manual")


def task_instance_states(context: Any, task_id: str) -> dict[int, str | None]:
    """
    Return the state of each task instance of one task in the current run, by map index, -1 where it is not mapped.

    One request on Airflow 3, where tasks have no metadata database; one query on Airflow 2.
    """
    dag_run = context["dag_run"]
    if not AIRFLOW_V_3_0_PLUS:
        return {
            instance.map_index: instance.state
            for instance in dag_run.get_task_instances()
            if instance.task_id == task_id
        }
    states = context["ti"].get_task_states(dag_id=dag_run.dag_id, task_ids=[task_id], run_ids=[dag_run.run_id])
    return {
        -1 if name == task_id else int(name.removeprefix(f"{task_id}_")): state
        for name, state in states.get(dag_run.run_id, {}).items()
    }


def pull_mapped_xcoms(context: Any, task_id: str, key: str, count: int) -> dict[int, Any]:
    """
    Return what the task instances of a mapped task have pushed in the current run, by map index.

    One request, however many instances there are: Airflow 3 hands over the values in the order of their map indexes,
    but without them, so each value must carry its own as ``mapIndex``. ``xcom_pull`` of a list of task ids would
    do the same from 3.0.3 on; on 3.0.2 it finds nothing (apache/airflow#50982), a slice returns everything.

    What is found may be from an earlier attempt: Airflow removes it when the task instance starts again, not before.

    :param context: Airflow's context.
    :param task_id: the mapped task.
    :param key: the XComs' key.
    :param count: ignore indexes from this one on: leftovers of a longer list before a clear.
    """
    if AIRFLOW_V_3_0_PLUS:
        mapped = context["task"].dag.get_task(task_id)
        values = sdk.XComArg(mapped, key=key).resolve(context)[:]
    else:
        values = context["ti"].xcom_pull(task_ids=[task_id], key=key)
    return {value["mapIndex"]: value for value in values if 0 <= value["mapIndex"] < count}


def discard_mapped_xcom(context: Any, key: str) -> None:
    """
    Discard what a mapped task instance has pushed in an earlier attempt, when it starts again.

    Airflow does this itself, except 3.0, which ignores the map index: there the value is replaced by one that
    `pull_mapped_xcoms` ignores. It cannot be removed, because the request for that has no map index.

    :param context: Airflow's context.
    :param key: the XCom's key.
    """
    if AIRFLOW_V_3_0_PLUS and not AIRFLOW_V_3_1_PLUS:
        context["ti"].xcom_push(key=key, value={"mapIndex": -1})


def flush_metrics() -> None:
    """Flush buffered metrics: before 3.1 a task process exits without flushing."""
    if AIRFLOW_V_3_1_PLUS or not sdk.conf.getboolean("metrics", "otel_on", fallback=False):
        return
    from opentelemetry import metrics

    provider: Any = metrics.get_meter_provider()
    # where StatsD is on as well, Airflow uses that one, and there is nothing to flush
    if hasattr(provider, "force_flush"):
        provider.force_flush()


def name_task_instance(context: Any, name: str) -> None:
    """
    Name a mapped task instance in the UI from now on, even while it waits for its next attempt.

    Airflow 3.3 has done so by itself before the task runs, from ``map_index_template``; earlier ones do it at the end.

    :param context: Airflow's context.
    :param name: the name, 250 characters at most.
    """
    ti = context["ti"]
    if not AIRFLOW_V_3_0_PLUS:
        from airflow.models import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import update

        with create_session() as session:
            session.execute(
                update(TaskInstance)
                .where(
                    TaskInstance.dag_id == ti.dag_id,
                    TaskInstance.task_id == ti.task_id,
                    TaskInstance.run_id == ti.run_id,
                    TaskInstance.map_index == ti.map_index,
                )
                .values({"rendered_map_index": name})
                .execution_options(synchronize_session=False)
            )
    else:
        # reaches the API server with the end state of this attempt
        ti.rendered_map_index = name


def clear_number(dag_run: Any) -> int:
    """Return how often task instances of the run have been cleared."""
    return getattr(dag_run, "clear_number", None) or 0


def registered_timetables() -> set[str]:
    """Return the paths of the timetables that plugins have registered with this Airflow."""
    plugins_manager: Any = importlib.import_module("airflow.plugins_manager")
    if AIRFLOW_V_3_2_PLUS:
        return set(plugins_manager.get_timetables_plugins())
    plugins_manager.initialize_timetables_plugins()
    return set(plugins_manager.timetable_classes or ())


def load_dag_file(path: Path) -> tuple[list[str], dict[str, str]]:
    """
    Read a DAG file as the DAG processor does; return the ids of its DAGs, and its import errors.

    :param path: the file.
    """
    module = "airflow.dag_processing.dagbag" if AIRFLOW_V_3_2_PLUS else "airflow.models.dagbag"
    options = {} if AIRFLOW_V_3_2_PLUS else {"include_examples": False}
    # in a task process Airflow names the one DAG that is wanted, and a file may make no other
    context = {name: os.environ.pop(name) for name in PARSING_CONTEXT if name in os.environ}
    try:
        bag: Any = importlib.import_module(module).DagBag(str(path), **options)
    finally:
        os.environ.update(context)
    return sorted(bag.dags), dict(bag.import_errors)
