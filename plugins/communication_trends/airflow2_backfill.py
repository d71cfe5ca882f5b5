"""
Airflow 2's ``airflow dags backfill``, fixed where it is not reliable. Airflow 3 has another one, which needs no fix.

The command does the work itself, in a loop over the task instances of its runs; ``Backfill`` is that loop.
"""

from __future__ import annotations

import datetime
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pendulum
import psutil
from airflow.configuration import conf
from airflow.exceptions import BackfillUnfinished
from airflow.executors.executor_loader import ExecutorLoader
from airflow.executors.local_executor import LocalExecutor
from airflow.jobs.backfill_job_runner import BackfillJobRunner
from airflow.jobs.job import Job, run_job
from airflow.models.dagrun import DagRun
from airflow.settings import Session
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState

GONE_AFTER = datetime.timedelta(minutes=2)
"""A backfill command whose heartbeat, one every 5 seconds, is older than this has been killed."""


def run_backfill(dag: Any, *, local: bool = False, **options: Any) -> None:
    """
    Do what ``DAG.run`` of Airflow 2 does.

    :param dag: the DAG, as parsed from its file.
    :param local: take the LocalExecutor, whatever is configured.
    :param options: those of Airflow's ``BackfillJobRunner``.
    :raises BackfillUnfinished: when a run of the range has not succeeded.
    """
    if local:
        ExecutorLoader.set_default_executor(LocalExecutor())  # type: ignore[attr-defined]
    # The process of each task would expand and schedule what comes after it, as the loop does: of two that expand a
    # mapped task at once one fails, and if it is the loop, the backfill ends. Airflow calls it "entirely optional".
    # The environment, since the executor's processes inherit it.
    os.environ["AIRFLOW__SCHEDULER__SCHEDULE_AFTER_TASK_EXECUTION"] = "False"
    defaults = {"donot_pickle": conf.getboolean("core", "donot_pickle"), "ignore_first_depends_on_past": True}
    job = Job()
    backfill = Backfill(job=job, dag=dag, **{**defaults, **options})
    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(signum, backfill.interrupt)
    run_job(job=job, execute_callable=backfill._execute)


class Backfill(BackfillJobRunner):
    """Airflow's loop; this one knows its task instances, leaves no run unfinished, and reports what did not succeed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.process = os.getpid()
        self.interrupted = False
        self.dates: list[datetime.datetime] = []

    def interrupt(self, signum: int, frame: Any) -> None:
        """Handle a signal: end at the next point where nothing is half done; at the second signal, at once."""
        # a terminal signals the executor's processes too, which have inherited this: they go on, for a tidy end
        if os.getpid() != self.process:
            return
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def _execute(self) -> None:  # type: ignore[override]
        first, last = pendulum.instance(self.bf_start_date), pendulum.instance(self.bf_end_date)
        self.dates = [info.logical_date for info in self.dag.iter_dagrun_infos_between(first, last)]
        try:
            super()._execute()
        finally:
            if self.interrupted:
                self._end_orphans()
            self._fail_unfinished_runs()
        # Airflow itself is content with runs that failed or were never made: after Ctrl-C, with
        # --continue-on-failures, where a scheduled run is in the way, where the range holds no day
        if missed := self._dates_without_success():
            raise BackfillUnfinished(f"No successful run of {self.dag_id} for {', '.join(missed)}.", None)
        if not self.dates:
            raise BackfillUnfinished(f"No run of {self.dag_id} belongs to {first} to {last}.", None)

    def _set_unfinished_dag_runs_to_failed(self, dag_runs: Any, **kwargs: Any) -> None:
        """End what Airflow leaves running after an interruption, before it waits for the task instances."""
        self._fail_unfinished_runs()

    def _fail_unfinished_runs(self) -> None:
        """
        Fail the runs of this range that are not at an end.

        With ``max_active_runs=1`` an unfinished one would keep every later run from starting, scheduled ones included.
        """
        with create_session() as session:
            for run in _unfinished_runs(self.dag_id, session):
                if run.logical_date in self.dates and (run.state == DagRunState.QUEUED or self._is_mine(run)):
                    self._fail(run, session)

    def _end_orphans(self) -> None:
        """
        End the processes of this command's tasks that its executor has lost.

        Ctrl-C in a terminal ends the processes that watch over tasks, and not the tasks, which have process groups of
        their own. They would go on, store trends, and write that their run is running.
        """
        with create_session() as session:
            runs = session.query(DagRun).filter_by(dag_id=self.dag_id, creating_job_id=self.job.id)
            ids = [run.run_id for run in runs]
        orphans = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, ProcessLookupError):
                # as Airflow's StandardTaskRunner names it: DAG, task, run
                words = " ".join(process.cmdline()).split()
                task_of_dag = words[:4] == ["airflow", "task", "runner:", self.dag_id]
                if task_of_dag and set(words) & set(ids) and os.getsid(process.pid) == os.getsid(0):
                    process.kill()
                    orphans.append(process)
        if orphans:
            psutil.wait_procs(orphans, timeout=10)
            self.log.warning("Ended %d tasks that were still running.", len(orphans))

    def _dates_without_success(self) -> list[str]:
        with create_session() as session:
            runs = session.query(DagRun).filter_by(dag_id=self.dag_id, state=DagRunState.SUCCESS)
            succeeded = {run.logical_date for run in runs.filter(DagRun.execution_date.in_(self.dates))}
        return [f"{date:%Y-%m-%d}" for date in self.dates if date not in succeeded]

    def _get_dag_run(self, dagrun_info: Any, dag: Any, session: Any) -> DagRun | None:  # type: ignore[override]
        """Return the run for one date, to work on; None where it has to wait: for another run, or another command."""
        if self.interrupted:
            raise KeyboardInterrupt
        for run in _unfinished_runs(self.dag_id, session):
            if run.state == DagRunState.RUNNING and not self._is_mine(run):
                job = run.creating_job
                if job is None or job.state != "running" or job.latest_heartbeat < pendulum.now("UTC") - GONE_AFTER:
                    self.log.warning("%s: its backfill has been killed; the run counts as failed.", run.run_id)
                    self._fail(run, session)
                elif run.logical_date == dagrun_info.logical_date:
                    return None
        session.flush()
        run = super()._get_dag_run(dagrun_info, dag, session=session)
        if run is not None and not self._is_mine(run):
            # left by an earlier command: such instances run in name only, or wait for their next attempt
            # Where failed ones are to run again, Airflow would schedule them all at once: what comes after a failed
            # list_organizations has not been expanded, can never run, and the backfill ends as deadlocked.
            self._reset_instances(run, session, State.failed_states if self.rerun_failed_tasks else ())
            run.creating_job_id = self.job.id
            session.flush()
        return run

    def _fail(self, run: DagRun, session: Any) -> None:
        self._reset_instances(run, session)
        run.set_state(DagRunState.FAILED)

    def _reset_instances(self, run: DagRun, session: Any, ended: Iterable[TaskInstanceState] = ()) -> None:
        """
        Reset task instances of a run, so that a backfill takes them up with all their tries.

        :param ended: the states of those to be reset besides the unfinished ones.
        """
        for instance in run.get_task_instances(state=[*State.unfinished, *ended], session=session):
            instance.state = None
            if self.dag.has_task(instance.task_id):
                instance.max_tries = instance.try_number + self.dag.get_task(instance.task_id).retries
        session.flush()

    def _is_mine(self, run: DagRun) -> bool:
        return run.creating_job_id == self.job.id

    def _log_progress(self, ti_status: Any) -> None:
        """
        Take up the task instances that have come to be in this round; Airflow calls this at the end of each.

        A mapped task is expanded as soon as the task that it is mapped over has ended: by the process that handles the
        run next, mostly this loop itself. It hears of the new task instances only if the executor reports that end
        before the database shows it, which on a busy machine it does not. It then ends as "BackfillJob is deadlocked".
        """
        # this thread's session: it sees what the round has done and not committed yet
        session = Session()  # type: ignore[misc]
        there = {
            ti.key.primary: ti
            for run in ti_status.active_runs
            for ti in run.get_task_instances(session=session)
            if ti.state != TaskInstanceState.REMOVED
        }
        ti_status.to_run = {key: ti for key, ti in ti_status.to_run.items() if key.primary in there}
        groups = (ti_status.to_run, ti_status.running, ti_status.succeeded, ti_status.skipped, ti_status.failed)
        known = {key.primary for keys in groups for key in keys}
        ti_status.to_run |= {
            ti.key: ti for primary, ti in there.items() if primary not in known and ti.state in State.unfinished
        }
        super()._log_progress(ti_status)
        if self.interrupted:
            raise KeyboardInterrupt


def _unfinished_runs(dag_id: str, session: Any) -> list[DagRun]:
    """Return the runs that a backfill has not brought to an end."""
    runs = session.query(DagRun).filter_by(dag_id=dag_id, run_type="backfill")
    return runs.filter(DagRun.state.in_([DagRunState.QUEUED, DagRunState.RUNNING])).all()
