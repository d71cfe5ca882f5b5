"""Whole runs of the DAG, in an Airflow of their own."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.stack import ROOT, Airflow, Server, airflow_environment, run_airflow

DAG_ID = "communication_trends_daily"
FLOOR_ID = "bench_floor"
DAY = "2026-11-01"

MEASURED = """
select
    extract(epoch from dag_run.end_date - dag_run.start_date)::float as run,
    extract(epoch from max(task_instance.end_date) - min(task_instance.start_date))::float as mapped
from dag_run
inner join task_instance using (dag_id, run_id)
where dag_run.dag_id = %s and dag_run.run_id = %s and task_instance.map_index >= 0
group by dag_run.id
"""


@dataclass
class Runner:
    """
    A running Airflow with the package and the benchmark's DAGs.

    :param airflow: its processes.
    :param server: where its databases are.
    :param metadata: name of Airflow's own database.
    """

    airflow: Airflow
    server: Server
    metadata: str

    def run(self, dag_id: str, timeout: float = 1800, **conf: Any) -> float:
        """
        Run a DAG once.

        :param dag_id: which one.
        :param timeout: seconds.
        :param conf: the run's.
        :returns: seconds from the start of the run to its end, as Airflow stores them.
        """
        run_id = f"bench-{uuid.uuid4()}"
        address = f"/api/v2/dags/{dag_id}/dagRuns"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        self.airflow.request("POST", address, json=body).raise_for_status()

        with self.server.connect(self.metadata) as connection:

            def ended() -> Any:
                rows = connection.execute(
                    "select state, extract(epoch from end_date - start_date)::float from dag_run where run_id = %s",
                    [run_id],
                ).fetchone()
                return rows if rows and rows[0] in ("success", "failed") else None

            state, seconds = self.airflow.wait_until(ended, seconds=timeout, what=f"{dag_id} has ended")
        if state != "success":
            raise RuntimeError(f"{dag_id} {conf}: {state}")
        return float(seconds)


@contextlib.contextmanager
def runner(home: Path, server: Server, database: str, **settings: str) -> Iterator[Runner]:
    """
    Start Airflow with LocalExecutor on a metadata database of its own.

    :param home: where it writes.
    :param server: where both databases are.
    :param database: name of the one with messages and trends.
    :param settings: more environment variables.
    """
    metadata = f"airflow_{uuid.uuid4().hex[:8]}"
    server.create_database(metadata)
    dags = home / "dags"
    for folder in (ROOT / "dags", ROOT / "bench" / "dags"):
        shutil.copytree(folder, dags, dirs_exist_ok=True)
    environment = {
        **airflow_environment(home, server, metadata=metadata, database=database),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH": str(ROOT / "sql"),
        **settings,
    }
    run_airflow(environment, "db", "migrate")
    airflow = Airflow(environment)
    try:
        airflow.start()
        for dag_id in (DAG_ID, FLOOR_ID):
            address = f"/api/v2/dags/{dag_id}"
            airflow.wait_until(
                lambda address=address: airflow.request("GET", address).is_success,
                seconds=180,
                what="the DAGs are parsed",
            )
        # no run of its own schedule beside the measured ones: active, but due only after this has ended
        for dag_id in (FLOOR_ID, DAG_ID):
            airflow.request("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": False}).raise_for_status()

        def idle() -> bool:
            with server.connect(metadata) as connection:
                rows = connection.execute("select state from dag_run").fetchall()
            return bool(rows) and all(state == "success" for (state,) in rows)

        airflow.wait_until(idle, seconds=1800, what="the run that is due has ended")
        yield Runner(airflow, server, metadata)
    finally:
        airflow.stop()
        server.drop_database(metadata)
