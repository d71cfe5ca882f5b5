"""
Whether an installation is whole, and whether the trends are complete: for a person and for a monitor.

Usage, on any component: ``python -m communication_trends check``, ``python -m communication_trends freshness``; where
the package is in the plugins folder, ``python PLUGINS/communication_trends check``.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from airflow.utils.file import list_py_file_paths
from airflow.utils.providers_configuration_loader import providers_configuration_loaded
from communication_trends.sdk import AirflowException

from communication_trends import __version__, requirements, settings
from communication_trends.compat import HAS_EXTERNAL_VIEWS, load_dag_file, registered_timetables
from communication_trends.connections import open_database, open_trends, translate_errors
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import DAILY, KINDS, Granularity, utc_now
from communication_trends.core.period_range import FRESHNESS_GRACE, Range
from communication_trends.core.statements import compose
from communication_trends.timetable import TIMETABLES

OK, FAILED, NOTE = "ok", "FAILED", "-"

NAMED = 10
"""Organizations that lack trends which are named."""


# as Airflow's own commands do: else what comes from a command or a secrets backend is not known before Airflow 3.2
@providers_configuration_loaded
def main(output: TextIO) -> int:
    """
    Run the command line; return its exit code: 0 if all is well, 1 if not.

    :param output: where the answer goes.
    """
    parser = argparse.ArgumentParser(
        prog="communication_trends", description="0: all is well; 1: it is not, and the output says what."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="check the installation on this component")
    check.add_argument("--dags", type=Path, help="the DAGs folder, or a bundle's; default: as Airflow has it")
    check.add_argument("--no-database", action="store_true", help="for a component without access to the trends")
    fresh = commands.add_parser("freshness", help="say whose trends, of those due by now, are not complete")
    fresh.add_argument("--period", choices=sorted(KINDS), default="daily")
    fresh.add_argument("--count", type=int, default=30, help="number of periods up to now; default: 30")
    given = parser.parse_args()
    # as Airflow's own commands do: else Airflow 3.1 and newer do not look for connections in the metadata database
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    if given.command == "check":
        found = check_installation(given.dags, with_database=not given.no_database)
    elif 1 <= given.count <= settings.MAX_LOOKBACK:
        found = _tried_all("freshness", check_freshness(KINDS[given.period], given.count))
    else:
        parser.error(f"--count: {given.count} is not a whole number from 1 to {settings.MAX_LOOKBACK}")
    result = 0
    for state, text in found:
        print(f"{state:8}{text}", file=output, flush=True)
        result |= state == FAILED
    return result


def check_installation(dags: Path | None = None, *, with_database: bool = True) -> Iterator[tuple[str, str]]:
    """
    Check what this component has of the package; each line as state and text.

    :param dags: folder of the DAG files; by default Airflow's.
    :param with_database: whether to connect to the database as well.
    """
    yield OK, f"package: {__version__} in {settings.PACKAGE}"
    if twice := requirements.installed_twice():
        yield FAILED, twice
    missing = {f"{one.__module__}.{one.__qualname__}" for one in TIMETABLES} - registered_timetables()
    if missing:
        yield (
            FAILED,
            f"plugin: Airflow has not registered {', '.join(sorted(missing))}. A scheduler here would not run "
            "the DAGs, or end. Install the wheel, or put communication_trends_plugin.py into the plugins folder "
            f"{settings.conf.get('core', 'plugins_folder')}; if it is there, `airflow plugins` has the reason.",
        )
    elif _is_loaded_as_plugins():
        yield (
            FAILED,
            "plugin: Airflow loads each module of the package as a plugin, under names that may be those of others. "
            f"Add the package's line of .airflowignore to the one in {settings.conf.get('core', 'plugins_folder')}.",
        )
    else:
        yield OK, "plugin: registered with Airflow"
    yield from _tried("settings", _settings)
    yield from _tried("SQL", _sql)
    yield from _tried_all("DAG file", _dag_files(dags or Path(settings.conf.get("core", "dags_folder"))))
    if HAS_EXTERNAL_VIEWS:
        yield from _tried_all("page", _page())
    if with_database:
        yield from _tried_all("database", _database())


def _is_loaded_as_plugins() -> bool:
    """Whether Airflow's plugin manager has imported modules of the package by their bare names."""
    return any(
        Path(getattr(sys.modules.get(path.stem), "__file__", None) or "").resolve() == path.resolve()
        for path in settings.PACKAGE.glob("[a-z]*.py")
    )


def _settings() -> str:
    settings.check_all_settings()
    return "each is known, and has a value that can be used"


def _sql() -> str:
    folder = settings.sql_path()
    for path in (folder / "reading/freshness.sql", folder / "web/trends.sql", *folder.rglob("*.sql")):
        path.read_bytes()
    # also those that are not there: what the package names, with the views that those read; two that neither finds
    code = "".join(path.read_text(encoding="utf-8") for path in settings.PACKAGE.rglob("*.py"))
    named = re.findall(r'"((?:reading|web)/\w+|\w+(?=\.sql"))', code)
    for name in ("reading/no_provenance", "reading/stored_trends", *named):
        compose(folder / f"{name}.sql")
    return f"{__version__} in {folder}"


def _tried_all(what: str, lines: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    try:
        yield from lines
    # any: a monitor that ends in a traceback does not report what is wrong
    except Exception as error:
        yield FAILED, f"{what}: {error}"


def _tried(what: str, attempt: Callable[[], str]) -> Iterator[tuple[str, str]]:
    def line() -> Iterator[tuple[str, str]]:
        yield OK, f"{what}: {attempt()}"

    yield from _tried_all(what, line())


def _dag_files(folder: Path) -> Iterator[tuple[str, str]]:
    ours = {kind.dag_id for kind in KINDS.values()}
    mine = [
        path
        for path in (sorted(folder.rglob("*.py")) if folder.is_dir() else ())
        # by its name as well: one that cannot be read is no DAG file to Airflow either
        if "communication_trends" in path.name + _text(path)
        # the plugins folder may be in the DAGs folder
        and settings.PACKAGE.resolve() not in path.resolve().parents
    ]
    made_by: dict[str, Path] = {}
    discovered = {Path(one).resolve() for one in list_py_file_paths(folder, safe_mode=False)}
    for path in mine:
        if path.is_file() and path.resolve() not in discovered:
            yield NOTE, f"DAG file: {path}: Airflow does not read it, since a .airflowignore excludes it"
            continue
        found, errors = load_dag_file(path)
        text = _text(path)
        makes_ours = "AggregateTrendsOperator" in text and (errors or ours & set(found))
        if makes_ours and "RELEASE = " not in text:
            yield FAILED, f"DAG file: {path} is of a release before 0.2.0, the package of release {__version__}"
            continue
        for error in errors.values():
            yield FAILED, f"DAG file: {path}: {error.strip().splitlines()[-1]}"
        if found:
            yield OK, f"DAG file: {path}: {', '.join(found)}"
        for dag_id in found:
            if made_by.setdefault(dag_id, path) != path:
                yield FAILED, f"DAG file: {path} makes {dag_id}, as {made_by[dag_id]} does: remove one of them"
    if not mine:
        # a component that needs none has none where Airflow looks
        state = NOTE if folder == Path(settings.conf.get("core", "dags_folder")) else FAILED
        yield state, f"DAG file: none in {folder}; the DAG processor and the workers need it (a bundle's: --dags)"
    elif not ours <= set(made_by):
        yield FAILED, f"DAG file: {folder} does not make {', '.join(kind.dag_id for kind in KINDS.values())}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _page() -> Iterator[tuple[str, str]]:
    # not at the top: Airflow 2 has nothing of the web that it needs
    from communication_trends.web.app import create_app
    from communication_trends.web.assets import STATIC, missing_assets

    if missing := missing_assets():
        raise FileNotFoundError(f"{', '.join(missing)} missing in {STATIC}: copy the whole release")
    create_app()
    plotly = requirements.installed_version("plotly")
    yield NOTE, "page: this Airflow has one" + ("" if plotly else "; without plotly its charts are missing")


def _database() -> Iterator[tuple[str, str]]:
    # not at the top: freshness needs no operators
    from communication_trends.operators.list_organizations import table_problems

    with translate_errors():
        yesterday = DAILY.last_completed(utc_now())
        if problems := table_problems(yesterday, open_database):
            raise InvalidInputError("not ready. " + " ".join(problems))
    named = dict.fromkeys([settings.source_conn_id(), settings.conn_id()])
    yield (
        OK,
        f"database: {' and '.join(named)}: the source can be read and trends can be stored (tried, and rolled back)",
    )
    try:
        with translate_errors(), open_trends() as reader:
            # what runs do without
            reader.rows("web/organization", organization="")
    except AirflowException as error:
        yield NOTE, f"names: the page, freshness, anomalies and notifications do not work without them: {error}"


def check_freshness(kind: Granularity, count: int) -> Iterator[tuple[str, str]]:
    """
    Say whether each organization has the trends that should be stored by now, an hour after their run was due.

    :param kind: the length of the periods.
    :param count: so many periods.
    """
    last = kind.last_due(utc_now() - FRESHNESS_GRACE)
    asked = Range(last.minus(count - 1), last, last)
    with translate_errors(), open_trends() as reader:
        rows = reader.rows("reading/freshness", limit=NAMED, offset=0, **asked.parameters)
    found = rows[0]
    total, behind = found["organizations_total"], found["organizations_behind"]
    if not total:
        yield FAILED, "there is no organization"
    elif not found["anything_stored"]:
        yield FAILED, f"no {kind.name} trend is stored of {last} (UTC) or before"
    elif not behind:
        yield (
            OK,
            f"each of {total} organizations has its {kind.name} trends up to {last} (UTC), from "
            f"{found['checked_from']} on",
        )
    else:
        yield (
            FAILED,
            f"{behind} of {total} organizations have {kind.name} trends missing, unreadable or not final, from "
            f"{found['first_incomplete']} (UTC) on",
        )
        for row in rows:
            incomplete = [
                f"{len(days)} {what}, the last one {max(days)}"
                for what in ("missing", "unreadable", "not final")
                if (days := row[f"{what.replace(' ', '_')}_days"])
            ]
            yield NOTE, f"{row['slug']}: {'; '.join(incomplete)}"
