"""
The settings: section ``[communication_trends]`` of airflow.cfg, or ``AIRFLOW__COMMUNICATION_TRENDS__…``.

Nothing else in the package reads Airflow's configuration for them. A value that cannot be used is an error that names
the setting, the value and the remedy.
"""

from __future__ import annotations

import datetime
import decimal
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from airflow.providers.common.compat.sdk import BaseNotifier, conf, get_parsing_context

from communication_trends.compat import UI_ADDRESS
from communication_trends.core.aggregation import HotspotRule
from communication_trends.core.database import Limits
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY, Granularity

SECTION = "communication_trends"

DEFAULT_LOOKBACK = {DAILY: 7, WEEKLY: 1, MONTHLY: 1}
MAX_LOOKBACK = 366
"""Earlier periods that one run can do again; more are a backfill's."""

Value = TypeVar("Value")


def conn_id() -> str:
    """Airflow connection to the database that holds ``communication_trends``."""
    return conf.get(SECTION, "conn_id", fallback="communication_trends_db")


def source_conn_id() -> str:
    """Airflow connection to read the source tables from, a replica for example; by default the same as ``conn_id``."""
    return conf.get(SECTION, "source_conn_id", fallback="") or conn_id()


def sql_path(dag_file: str | None = None) -> Path:
    """
    Folder of the ``.sql`` templates: ``sql_path``, or else ``sql`` beside the DAG file, the plugins or the DAGs folder.

    :param dag_file: path of the DAG file, in a DAG bundle for example; its folder and the one above it come first.
    :raises InvalidInputError: when it is nowhere there.
    """
    given = conf.get(SECTION, "sql_path", fallback="")
    plugins = Path(__file__).parents[1]
    # a bundle is either this repository, with the DAG file in dags/, or a folder with the DAG file in it
    folders = [*Path(dag_file).parents[:2]] if dag_file else []
    folders += [plugins.parent, plugins.resolve().parent, Path(conf.get("core", "dags_folder")).parent]
    candidates = [Path(given)] if given else [folder / "sql" for folder in folders]
    for folder in candidates:
        if (folder / "aggregate_trends.sql").is_file():
            return folder
    raise InvalidInputError(
        f"[{SECTION}] sql_path: no aggregate_trends.sql in {' or '.join(map(str, dict.fromkeys(candidates)))}. "
        "Set sql_path to the folder that the package's sql/ was copied to."
    )


def retries() -> int:
    """How often Airflow tries a failed task instance again."""
    return _number("retries", "3", int, at_least=0)


def retry_delay() -> float:
    """Seconds before the first retry; doubled for each further one."""
    return _number("retry_delay", "60", float, at_least=0)


def hotspot_min_messages() -> int:
    """Classifications a day from which on a channel can be a hotspot."""
    return _number("hotspot_min_messages", "10", int, at_least=1)


def hotspot_min_ratio() -> decimal.Decimal:
    """Share of risky topics, 0 to 1, above which a channel is a hotspot; a decimal, so that the limit is exact."""
    return _number("hotspot_min_ratio", "0.3", decimal.Decimal, at_least=0, at_most=1)


def hotspot_topics() -> list[str]:
    """Topics that count as risky, comma-separated in the configuration."""
    given = conf.get(SECTION, "hotspot_topics", fallback="complaint, escalation")
    topics = [topic.strip() for topic in given.split(",") if topic.strip()]
    if not topics:
        raise InvalidInputError(
            f"[{SECTION}] hotspot_topics: {given!r} names no topic. Give one or more, comma-separated."
        )
    return topics


def hotspot_rule() -> HotspotRule:
    """When a channel is a hotspot, by these three settings."""
    return HotspotRule(hotspot_topics(), hotspot_min_messages(), hotspot_min_ratio())


def statement_timeout() -> float:
    """Seconds after which PostgreSQL ends a statement."""
    return _number("statement_timeout", "300", float, at_least=0.001)


def lock_timeout() -> float:
    """Seconds after which PostgreSQL stops waiting for a lock."""
    return _number("lock_timeout", "60", float, at_least=0.001)


def execution_timeout() -> datetime.timedelta:
    """How long a task instance may take: as long as 20 statements that each run into statement_timeout."""
    return datetime.timedelta(seconds=20 * Limits(statement=statement_timeout()).answer)


def max_parallel_organizations() -> int:
    """Task instances that aggregate at the same time, over all runs: as many connections to the database at most."""
    return _number("max_parallel_organizations", "16", int, at_least=1)


def notifier(name: str, *, called_by: str | None = None) -> Any:
    """
    Whom to call: a class derived from Airflow's BaseNotifier, made with the arguments of ``…_kwargs``, JSON.

    :param name: the setting: ``failure_notifier``, ``attention_notifier`` or ``digest_notifier``.
    :param called_by: the task that calls it, if it is a task: the processes of other tasks get None, since importing
        Slack's notifier alone would double what an organization costs.
    :returns: the notifier; None where the setting is empty.
    :raises InvalidInputError: when there is no such class, or it does not take the arguments.
    """
    path = conf.get(SECTION, name, fallback="").strip()
    if not path or (called_by and get_parsing_context().task_id not in (None, called_by)):
        return None
    module, _, class_name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), class_name)
        if not issubclass(kind, BaseNotifier):
            raise TypeError("it is not a notifier")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise InvalidInputError(
            f"[{SECTION}] {name}: {path!r} cannot be used: {error}. Give the import path of a class derived "
            "from Airflow's BaseNotifier, and install the provider that has it; or leave it empty."
        ) from error
    given = conf.get(SECTION, f"{name}_kwargs", fallback="{}")
    try:
        return kind(**json.loads(given))
    except (TypeError, ValueError) as error:
        # not the value itself: it may hold a secret
        raise InvalidInputError(
            f"[{SECTION}] {name}_kwargs: not the arguments of {path}: {error}. Give a JSON object with the "
            "arguments by name."
        ) from error


def keep_completed_runs() -> int:
    """Runs of each DAG that succeeded, the latest ones, that the history DAG keeps; 0 keeps all."""
    return _number("keep_completed_runs", "50", int, at_least=0)


def keep_failed_runs() -> int:
    """Runs of each DAG that failed, the latest ones, that the history DAG keeps; 0 keeps all."""
    return _number("keep_failed_runs", "100", int, at_least=0)


def api_conn_id() -> str:
    """Airflow connection to Airflow's own REST API, which the history DAG logs in to."""
    return conf.get(SECTION, "api_conn_id", fallback="communication_trends_api")


def lookback(kind: Granularity) -> int:
    """Earlier periods that a scheduled run does again: ``lookback_days``, ``lookback_weeks``, ``lookback_months``."""
    return _number(f"lookback_{kind.noun}s", str(DEFAULT_LOOKBACK[kind]), int, at_least=0, at_most=MAX_LOOKBACK)


def ui_url() -> str | None:
    """Address of Airflow's UI, without a slash at its end: ``base_url``; None where nobody has set it."""
    section, unset = UI_ADDRESS
    given = (conf.get(section, "base_url", fallback="") or "").rstrip("/")
    return None if given in ("", unset) else given


def max_map_length() -> int:
    """Airflow's own limit on mapped task instances, ``[core] max_map_length``."""
    return conf.getint("core", "max_map_length", fallback=1024)


def _number(
    name: str, default: str, kind: Callable[[str], Value], *, at_least: float, at_most: float = float("inf")
) -> Value:
    given = conf.get(SECTION, name, fallback=default)
    try:
        value = kind(given)
        if at_least <= value <= at_most:  # type: ignore[operator]
            return value
    except (ValueError, decimal.InvalidOperation):
        pass
    limits = f"of {at_least} or more" if at_most == float("inf") else f"from {at_least} to {at_most}"
    noun = "a whole number" if kind is int else "a number"
    raise InvalidInputError(f"[{SECTION}] {name}: {given!r} is not {noun} {limits}. The default is {default}.")
