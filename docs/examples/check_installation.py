"""An example: a DAG that checks the installation on a worker, where there is no shell. Trigger it, and read its log."""

from __future__ import annotations

try:
    from airflow.sdk import DAG, task
except ImportError:  # Airflow 2
    from airflow import DAG
    from airflow.decorators import task

with DAG(dag_id="check_communication_trends", schedule=None) as dag:

    @task
    def check():
        """Print what the command ``check`` prints, and fail if anything is wrong."""
        from communication_trends.check import FAILED, check_installation

        found = list(check_installation())
        for state, text in found:
            print(state, text)
        if FAILED in dict(found):
            raise RuntimeError("The installation is not complete: the lines above say what is wrong.")

    check()
