"""Loads the DAG as Airflow does."""

from __future__ import annotations

import datetime
from typing import Any

DAG_ID = "communication_trends_daily"


def load_bag(folder: str | None = None) -> Any:
    """
    Return the DagBag of a folder.

    :param folder: by default the DAGs folder.
    """
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:  # Airflow 2
        from airflow.models import DagBag

    return DagBag(folder)


def load_dag(dag_id: str = DAG_ID, **task_changes: Any) -> Any:
    """Return the DAG, with attributes of all its tasks changed."""
    bag = load_bag()
    assert not bag.import_errors
    dag = bag.dags[dag_id]
    for task in dag.tasks:
        for name, value in task_changes.items():
            setattr(task, name, value)
    return dag


def run_once(conf: dict[str, Any] | None, *, dag_id: str = DAG_ID, retries: int = 0, **kwargs: Any) -> Any:
    """Run the DAG once in this process, as ``airflow dags test`` does, and return the run."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return load_dag(dag_id, retries=retries).test(logical_date=now, run_after=now, run_conf=conf, **kwargs)
