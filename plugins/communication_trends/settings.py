"""
The settings: section ``[communication_trends]`` of airflow.cfg, or ``AIRFLOW__COMMUNICATION_TRENDS__…``.

Nothing else in the package reads Airflow's configuration for them. Every number has limits. A value that cannot be
used is an error that names the setting, the value, the limits and the default.
"""

from __future__ import annotations

import configparser
import datetime
import decimal
import importlib
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from communication_trends.sdk import BaseNotifier, conf, get_parsing_context

from communication_trends.compat import UI_ADDRESS
from communication_trends.core.database import Limits
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.marks import Mark, read_marks
from communication_trends.core.period import KINDS, Granularity
from communication_trends.core.work import HotspotRule
from communication_trends.provider_info import DEFAULTS, SECTION
from communication_trends.requirements import check_sql_release
from communication_trends.unknown_settings import refuse_unknown_settings

log = logging.getLogger(__name__)

PACKAGE = Path(__file__).parent
"""Folder of the package."""

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
    return _connection_id("conn_id")


def source_conn_id() -> str:
    """Airflow connection to read the source tables from, a replica for example; by default the same as ``conn_id``."""
    return _given("source_conn_id") or conn_id()


def sql_path(dag_file: str | None = None) -> Path:
    """
    Folder of the ``.sql`` templates: ``sql_path``, or else ``sql`` next to the DAG file, in the package and elsewhere.

    :param dag_file: path of the DAG file, in a DAG bundle for example; its folder and the one above it come first.
    :raises InvalidInputError: when it is nowhere there, or is of another release than the package.
    """
    given = _path("sql_path")
    plugins, dags = PACKAGE.parent, Path(conf.get("core", "dags_folder"))
    # a bundle is either this repository, with the DAG file in dags/, or a folder with the DAG file in it
    folders = [*Path(dag_file).parents[:2]] if dag_file else []
    # a wheel has it in the package
    folders += [PACKAGE, plugins.parent, plugins.resolve().parent, dags, dags.parent]
    candidates = [given] if given else [folder / "sql" for folder in folders]
    forbidden = set()
    for folder in candidates:
        try:
            (folder / "aggregate_trends.sql").open("rb").close()
        except PermissionError:
            forbidden.add(folder)
        except OSError:
            pass
        else:
            check_sql_release(folder)
            return folder
    searched = (f"{folder}{' (not readable)' if folder in forbidden else ''}" for folder in dict.fromkeys(candidates))
    # it may be left from before the wheel, which has the SQL in it
    leave_out = ", or leave it out" if given and (PACKAGE / "sql").is_dir() else ""
    raise InvalidInputError(
        f"[{SECTION}] sql_path: no aggregate_trends.sql in {' or '.join(searched)}. "
        f"Set sql_path to the folder that the package's sql/ was copied to{leave_out}."
    )


def retries() -> int:
    """How often Airflow tries a failed task instance again."""
    return _number("retries", int, at_least=0, at_most=100)


def retry_delay() -> float:
    """Seconds before the first retry; doubled for each further one."""
    return _number("retry_delay", float, at_least=0, at_most=ONE_DAY)


def hotspot_min_messages() -> int:
    """Minimum messages for a channel to be a hotspot."""
    return _number("hotspot_min_messages", int, at_least=1, at_most=MAX_INTEGER)


def hotspot_min_ratio() -> decimal.Decimal:
    """Share of risky topics, 0 to 1, above which a channel is a hotspot; a decimal, so that the limit is exact."""
    return _number("hotspot_min_ratio", decimal.Decimal, at_least=0, at_most=1)


def hotspot_topics() -> list[str]:
    """Topics that count as risky, comma-separated in the configuration."""
    given = _given("hotspot_topics")
    topics = [topic.strip() for topic in given.split(",") if topic.strip()]
    try:
        # bytes of the environment that are no text become lone surrogates
        given.encode()
    except UnicodeEncodeError:
        topics = []
    # written as a list, in quotes, with another separator or a comment, it would name topics that no message has
    if not topics or any(topic[0] in "[{\"'" or re.search(r"[;，、\r\n]|\s#", topic) for topic in topics):
        raise InvalidInputError(
            f"[{SECTION}] hotspot_topics: {_short(given)} names no topic. Give one or more, comma-separated, without "
            f"quotes and comments. The default is {DEFAULTS['hotspot_topics']}."
        )
    # one named twice is not counted twice
    return list(dict.fromkeys(topics))


def marks() -> list[Mark]:
    """
    Named days, from the file ``marks_path``; none without one.

    :raises InvalidInputError: when the file cannot be read, or has a line that is no named day.
    """
    given = _path("marks_path")
    try:
        return read_marks(given) if given else []
    except (OSError, UnicodeError, InvalidInputError) as error:
        raise InvalidInputError(
            f"[{SECTION}] marks_path: {_short(str(given))} cannot be used: {error}. Leave it out for none."
        ) from None


def known_marks() -> list[Mark]:
    """Return the named days; none, with a warning in the log, where their file cannot be used: numbers do without."""
    try:
        return marks()
    except InvalidInputError as error:
        log.warning("No named days are shown. %s", error)
        return []


def hotspot_rule() -> HotspotRule:
    """When a channel is a hotspot, by these three settings."""
    return HotspotRule(hotspot_topics(), hotspot_min_messages(), hotspot_min_ratio())


def statement_timeout() -> float:
    """PostgreSQL's ``statement_timeout``, in seconds."""
    return _number("statement_timeout", float, at_least=0.001, at_most=ONE_DAY)


def lock_timeout() -> float:
    """PostgreSQL's ``lock_timeout``, in seconds."""
    return _number("lock_timeout", float, at_least=0.001, at_most=ONE_DAY)


def execution_timeout() -> datetime.timedelta:
    """How long a task instance may take: as long as 20 statements that each run into statement_timeout."""
    return datetime.timedelta(seconds=20 * Limits(statement=statement_timeout()).client_timeout)


def max_parallel_organizations() -> int:
    """Task instances that aggregate at the same time, over all runs: as many connections to the database at most."""
    return _number("max_parallel_organizations", int, at_least=1, at_most=10_000)


def organizations_per_task() -> int:
    """Organizations in one task instance: the default of the param, so that scheduled runs have it too."""
    return _number("organizations_per_task", int, at_least=1, at_most=MAX_PER_TASK)


def notifier(name: str, *, called_by: str | None = None) -> Any:
    """
    Whom to call: a class derived from Airflow's BaseNotifier, made with the arguments of ``…_kwargs``, JSON.

    :param name: the setting: ``failure_notifier``, ``attention_notifier`` or ``digest_notifier``.
    :param called_by: the task that calls it, if it is a task: the processes of other tasks get None, since importing
        Slack's notifier alone would double what an organization costs.
    :returns: the notifier; None where the setting is empty.
    :raises InvalidInputError: when there is no such class, or it does not take the arguments.
    """
    path = _given(name).strip()
    if not path or (called_by and get_parsing_context().task_id not in (None, called_by)):
        return None
    module, _, class_name = path.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), class_name)
        if not issubclass(kind, BaseNotifier):
            raise TypeError("it is not a notifier")
        if kind.notify is BaseNotifier.notify:
            raise TypeError("it has no notify() of its own")
    # any exception: the module is not ours, nor is the class below
    except Exception as error:
        raise InvalidInputError(
            f"[{SECTION}] {name}: {path!r} cannot be used: {error}. Give the import path of a class derived "
            "from Airflow's BaseNotifier, and install the provider that has it; or leave it empty."
        ) from error
    given = _given(f"{name}_kwargs")
    try:
        return kind(**json.loads(given or "{}"))
    except Exception as error:
        # not the value itself: it may hold a secret
        raise InvalidInputError(
            f"[{SECTION}] {name}_kwargs: not the arguments of {path}: {error}. Give a JSON object with the "
            "arguments by name."
        ) from error


def keep_completed_runs() -> int:
    """Runs of each DAG that succeeded, the latest ones, that the history DAG keeps; 0 keeps all."""
    return _number("keep_completed_runs", int, at_least=0, at_most=1_000_000)


def keep_failed_runs() -> int:
    """Runs of each DAG that failed, the latest ones, that the history DAG keeps; 0 keeps all."""
    return _number("keep_failed_runs", int, at_least=0, at_most=1_000_000)


def api_conn_id() -> str:
    """Airflow connection to Airflow's own REST API, which the history DAG logs in to."""
    return _connection_id("api_conn_id")


def lookback(kind: Granularity) -> int:
    """Earlier periods that a scheduled run recomputes: ``lookback_days``, ``lookback_weeks``, ``lookback_months``."""
    return _number(f"lookback_{kind.noun}s", int, at_least=0, at_most=MAX_LOOKBACK)


def ui_url() -> str | None:
    """Address of Airflow's UI, without a slash at its end: ``base_url``; None where it is not set."""
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
    refuse_unknown_settings()
    for read in (
        *(conn_id, source_conn_id, statement_timeout, lock_timeout, max_map_length),
        *(hotspot_min_messages, hotspot_min_ratio, hotspot_topics),
    ):
        read()


def check_all_settings() -> None:
    """
    Read every setting.

    :raises InvalidInputError: for the first one that cannot be used.
    """
    check_run_settings()
    for read in (
        *(retries, retry_delay, execution_timeout, max_parallel_organizations, organizations_per_task),
        *(keep_completed_runs, keep_failed_runs, api_conn_id, marks),
    ):
        read()
    for kind in KINDS.values():
        lookback(kind)
    for name in ("failure_notifier", "attention_notifier", "digest_notifier"):
        notifier(name)


def _given(name: str) -> str:
    """Return the text of a setting, or its default."""
    try:
        return conf.get(SECTION, name, fallback=DEFAULTS[name])
    except configparser.InterpolationError:
        # without the error's own words, which have the value: it may hold a secret
        raise InvalidInputError(f"[{SECTION}] {name}: in airflow.cfg, write each % of the value as %%.") from None


def _path(name: str) -> Path | None:
    given = _given(name)
    # a relative one depends on the working directory, which differs between processes
    if given and not Path(given).is_absolute():
        raise InvalidInputError(f"[{SECTION}] {name}: {_short(given)} is not an absolute path, which begins with /.")
    return Path(given) if given else None


def _connection_id(name: str) -> str:
    given = _given(name)
    # Airflow's own limit
    if not 1 <= len(given) <= 250:
        raise InvalidInputError(
            f"[{SECTION}] {name}: {_short(given)} is not the id of a connection, 1 to 250 characters. The default is "
            f"{DEFAULTS[name]}."
        )
    return given


def _number(name: str, kind: Callable[[str], Value], *, at_least: float, at_most: float) -> Value:
    given = _given(name)
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
        f"[{SECTION}] {name}: {_short(given)} is not {noun} from {at_least} to {at_most}. "
        f"The default is {DEFAULTS[name]}."
    )


def _has_few_places(value: object) -> bool:
    """Whether a decimal can be handed to PostgreSQL exactly."""
    return not isinstance(value, decimal.Decimal) or -int(value.as_tuple().exponent) <= MAX_DECIMAL_PLACES


def _short(given: str) -> str:
    return repr(given) if len(given) <= 60 else f"{given[:60]!r}…"
