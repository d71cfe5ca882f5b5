"""Airflow's floor: the DAG's shape, with task instances that do nothing."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, BaseOperator, Param, task


class DoNothingOperator(BaseOperator):
    """
    Do nothing.

    :param number: one of many
    """

    def __init__(self, *, number, **kwargs):
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context):
        """Return nothing."""


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

    @task(trigger_rule="all_done")
    def summarize():
        """Return nothing."""

    DoNothingOperator.partial(task_id="do_nothing").expand(number=list_numbers()) >> summarize()
