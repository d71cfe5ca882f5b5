"""Airflow's floor: the DAG's shape, with functions that do nothing."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param, task

with DAG(
    dag_id="bench_floor",
    schedule=None,
    max_active_tasks=16,
    params={"tasks": Param(200, type="integer", minimum=1)},
):

    @task
    def list_numbers(params=None):
        """Return one number for each task instance."""
        return list(range(params["tasks"]))

    @task
    def do_nothing(number):
        """Return nothing."""

    @task(trigger_rule="all_done")
    def summarize():
        """Return nothing."""

    do_nothing.expand(number=list_numbers()) >> summarize()
