"""The floor under the floor: operators without a template, a name or a decorator, which no DAG in use is made of."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, BaseOperator, Param


class ListNumbersOperator(BaseOperator):
    """List a number for each task instance."""

    def execute(self, context):
        """Return the numbers."""
        return list(range(context["params"]["tasks"]))


class DoNothingOperator(BaseOperator):
    """
    Do nothing.

    :param number: one of many
    """

    def __init__(self, *, number=0, **kwargs):
        super().__init__(**kwargs)
        self.number = number

    def execute(self, context):
        """Return nothing."""


with DAG(
    dag_id="bench_bare_floor",
    schedule=None,
    max_active_tasks=16,
    params={"tasks": Param(200, type="integer", minimum=1)},
):
    list_numbers = ListNumbersOperator(task_id="list_numbers")
    do_nothing = DoNothingOperator.partial(task_id="do_nothing").expand(number=list_numbers.output)
    do_nothing >> DoNothingOperator(task_id="summarize", trigger_rule="all_done")
