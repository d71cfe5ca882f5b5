"""
The settings: section ``[communication_trends]`` of airflow.cfg, or ``AIRFLOW__COMMUNICATION_TRENDS__…``.

Nothing else in the package reads Airflow's configuration for them. Every number has limits. A value that cannot be
used is an error that names the setting, the value, the limits and the default.
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
"""Earlier periods that one run can do again; for more, run a backfill."""

MAX_PER_TASK = 10_000
"""Organizations in one task instance at most: their trends are in memory together."""

ONE_DAY = 86_400
"""Seconds. Nothing that a run waits for takes longer; Airflow itself waits no longer before a retry."""

MAX_INTEGER = 2_147_483_647
"""The largest integer of PostgreSQL."""

MAX_DECIMAL_PLACES = 10
"""Of a decimal."""

Value = TypeVar("Value")


def conn_id() -> str:
    """Airflow connection to the database that holds ``communication_trends``."""
    return _connection_id("conn_id", "communication_trends_db")


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
    return _number("retries", "3", int, at_least=0, at_most=100)


def retry_delay() -> float:
    """Seconds before the first retry; doubled for each further one."""
    return _number("retry_delay", "60", float, at_least=0, at_most=ONE_DAY)


def hotspot_min_messages() -> int:
    """Minimum messages for a channel to be a hotspot."""
    return _number("hotspot_min_messages", "10", int, at_least=1, at_most=MAX_INTEGER)


def hotspot_min_ratio() -> decimal.Decimal:
    """Share of risky topics, 0 to 1, above which a channel is a hotspot; a decimal, so that the limit is exact."""
    return _number("hotspot_min_ratio", "0.3", decimal.Decimal, at_least=0, at_most=1)


def hotspot_topics() -> list[str]:
    """Topics that count as risky, comma-separated in the configuration."""
    given = conf.get(SECTION, "hotspot_topics", fallback="complaint, escalation")
    topics = [topic.strip() for topic in given.split(",") if topic.strip()]
    try:
        # bytes of the environment that are no text become lone surrogates
        given.encode()
    except UnicodeEncodeError:
        topics = []
    if not topics:
        raise InvalidInputError(
            f"[{SECTION}] hotspot_topics: {_short(given)} names no topic. Give one or more, comma-separated. "
            "The default is complaint, escalation."
        )
    # one named twice is not counted twice
    return list(dict.fromkeys(topics))


def hotspot_rule() -> HotspotRule:
    """When a channel is a hotspot, by these three settings."""
    return HotspotRule(hotspot_topics(), hotspot_min_messages(), hotspot_min_ratio())


def statement_timeout() -> float:
    """PostgreSQL's ``statement_timeout``, in seconds."""
    return _number("statement_timeout", "300", float, at_least=0.001, at_most=ONE_DAY)


def lock_timeout() -> float:
    """PostgreSQL's ``lock_timeout``, in seconds."""
    return _number("lock_timeout", "60", float, at_least=0.001, at_most=ONE_DAY)


def execution_timeout() -> datetime.timedelta:
    """How long a task instance may take: as long as 20 statements that each run into statement_timeout."""
    return datetime.timedelta(seconds=20 * Limits(statement=statement_timeout()).answer)


def max_parallel_organizations() -> int:
    """Task instances that aggregate at the same time, over all runs: as many connections to the database at most."""
    return _number("max_parallel_organizations", "16", int, at_least=1, at_most=10_000)


def organizations_per_task() -> int:
    """Organizations in one task instance: the default of the param, so that scheduled runs have it too."""
    return _number("organizations_per_task", "1", int, at_least=1, at_most=MAX_PER_TASK)


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
    return _number("keep_completed_runs", "50", int, at_least=0, at_most=1_000_000)


def keep_failed_runs() -> int:
    """Runs of each DAG that failed, the latest ones, that the history DAG keeps; 0 keeps all."""
    return _number("keep_failed_runs", "100", int, at_least=0, at_most=1_000_000)


def api_conn_id() -> str:
    """Airflow connection to Airflow's own REST API, which the history DAG logs in to."""
    return _connection_id("api_conn_id", "communication_trends_api")


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
    length = conf.getint("core", "max_map_length", fallback=1024)
    if length < 1:
        raise InvalidInputError(
            f"[core] max_map_length: {length} is not a whole number of 1 or more. The default is 1024."
        )
    return length


def check_run_settings() -> None:
    """
    Read the settings that a run's task instances use, so that one that cannot be used is found before anything runs.

    :raises InvalidInputError: for the first one.
    """
    for read in (
        *(conn_id, source_conn_id, statement_timeout, lock_timeout, max_map_length),
        *(hotspot_min_messages, hotspot_min_ratio, hotspot_topics),
    ):
        read()


def _connection_id(name: str, default: str) -> str:
    given = conf.get(SECTION, name, fallback=default)
    # Airflow's own limit
    if not 1 <= len(given) <= 250:
        raise InvalidInputError(
            f"[{SECTION}] {name}: {_short(given)} is not the id of a connection, 1 to 250 characters. The default is "
            f"{default}."
        )
    return given


def _number(name: str, default: str, kind: Callable[[str], Value], *, at_least: float, at_most: float) -> Value:
    given = conf.get(SECTION, name, fallback=default)
    try:
        value = kind(given)
        if at_least <= value <= at_most and _has_few_places(value):  # type: ignore[operator]
            return value
    except (ValueError, decimal.InvalidOperation):
        pass
    noun = "a whole number" if kind is int else "a number"
    if kind is decimal.Decimal:
        noun += f" of at most {MAX_DECIMAL_PLACES} decimal places,"
    raise InvalidInputError(
        f"[{SECTION}] {name}: {_short(given)} is not {noun} from {at_least} to {at_most}. The default is {default}."
    )


def _has_few_places(value: object) -> bool:
    """Whether a decimal can be handed to PostgreSQL as it is."""
    return not isinstance(value, decimal.Decimal) or -int(value.as_tuple().exponent) <= MAX_DECIMAL_PLACES


def _short(given: str) -> str:
    return repr(given) if len(given) <= 60 else f"{given[:60]!r}…"
