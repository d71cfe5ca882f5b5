"""A real PostgreSQL and a real Airflow, made once; each test gets its own database."""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import json
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from local import ROOT
from local.airflow import Airflow, airflow_environment, run_airflow
from local.servers import SERVER_VARIABLE, Server, apply_schema, postgres

DAY = datetime.date(2026, 11, 1)
"""The day that most tests are about."""

NOV_1 = {"date": str(DAY)}
"""A run's conf for it."""

MIDNIGHT = datetime.time()
CHANGES = [MIDNIGHT, *(datetime.time(hour, minute) for hour, minute in ((3, 0), (3, 30), (4, 0), (4, 30), (5, 0)))]
"""Times of day, UTC, at which the day changes, a run is due, or its trend is expected, an hour later."""

UNIT = Path(__file__).parent / "unit"
"""Tests that need neither PostgreSQL nor Airflow's database."""

LONGEST_FILES = [
    ["test_scheduler.py"],
    ["test_running_airflow.py", "test_metrics.py", "test_page_in_airflow.py"],
    ["test_page.py", "test_access.py"],
    ["test_task_context.py"],
    ["test_replica.py"],
    ["test_subscription.py"],
    ["test_bundles.py"],
    ["test_preflight.py"],
    ["test_database.py"],
    ["test_runs.py"],
    ["test_lineage.py"],
    ["test_waiting.py"],
    ["test_history.py"],
]
"""
Files that take longest, in that order: they begin first, so that no process is left with one at the end.

Those in one list share an Airflow: one process runs them.
"""

_stack = ExitStack()
_server: Server | None = None
_seed: dict[str, Any] = {}
"""Folder of a server that was prepared and stopped, of which each process's server begins as a copy; its databases."""


@contextmanager
def server_folder() -> Iterator[Path]:
    """Make a folder that a server's own user can reach; pytest makes its own private whenever another run starts."""
    with tempfile.TemporaryDirectory(prefix="communication-trends-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL and set Airflow's environment before any test module imports Airflow."""
    global _server
    home = _stack.enter_context(server_folder())
    if config.args and all(Path(arg.partition("::")[0]).resolve().is_relative_to(UNIT) for arg in config.args):
        # no database, and so no 8 seconds until the first test
        os.environ["AIRFLOW_HOME"] = str(home / "airflow")
        return
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        # this process only hands out the tests: each of the others has its own server
        if SERVER_VARIABLE not in os.environ:
            with postgres(home) as server:
                _seed.update(folder=str(home / "postgres"), databases=prepare(server, home))
        return
    seed = getattr(config, "workerinput", {}).get("seed")
    if seed:
        subprocess.run(["cp", "--archive", seed["folder"], str(home / "postgres")], check=True)
    _server = _stack.enter_context(postgres(home))
    empty_metadata, template = seed["databases"] if seed else prepare(_server, home)
    metadata = f"airflow_{uuid.uuid4().hex[:8]}"
    _server.create_database(metadata, template=empty_metadata)
    for database in (metadata, empty_metadata, template):
        _stack.callback(_server.drop_database, database)
    os.environ.update(
        airflow_environment(home / "airflow", _server, metadata=metadata, database=template),
        TEMPLATE_DATABASE=template,
        EMPTY_METADATA_DATABASE=empty_metadata,
    )


def prepare(server: Server, home: Path) -> tuple[str, str]:
    """Make what each test's databases are copies of: Airflow's own, and the one with the application's tables."""
    # unique names, so that several runs can share one server
    suffix = uuid.uuid4().hex[:8]
    empty_metadata, template = f"empty_airflow_{suffix}", f"template_{suffix}"
    for database in (empty_metadata, template):
        server.create_database(database)
    with server.connect(template) as connection:
        if SERVER_VARIABLE not in os.environ:
            # nothing here outlives the machine, and to drop a database takes a tenth of the time
            connection.execute("alter system set fsync = off")
            connection.execute("select pg_reload_conf()")
        apply_schema(connection, "source_tables.sql", "communication_trends.sql")
    environment = airflow_environment(home / "airflow", server, metadata=empty_metadata, database=template)
    run_airflow(environment, "db", "migrate")
    return empty_metadata, template


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass to a process of pytest-xdist what its server begins as."""
    node.workerinput["seed"] = _seed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; within a file the order stays."""
    places = {name: place for place, name in enumerate(itertools.chain.from_iterable(LONGEST_FILES))}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand out whole files, and those that share an Airflow together (xdist_group does nothing from pytest 9.2 on)."""
    from xdist.scheduler import LoadScopeScheduling

    groups = {name: names[0] for names in LONGEST_FILES for name in names}

    class ByAirflow(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return groups.get(Path(path).name, path)

    return ByAirflow(config, log)


def today() -> datetime.date:
    """Return the UTC day of now; a test asks for it when it runs, since the tests may go on past midnight."""
    return datetime.datetime.now(datetime.timezone.utc).date()


def let_pass(times: Iterable[datetime.time], minutes: float) -> None:
    """Wait until some times of day (UTC) have passed that are fewer than so many minutes away."""
    now = datetime.datetime.now(datetime.timezone.utc)
    near = now + datetime.timedelta(minutes=minutes)
    # near midnight the next ones are of the next day
    moments = [datetime.datetime.combine(near.date(), one, datetime.timezone.utc) for one in times]
    if ahead := [moment for moment in moments if now < moment < near]:
        time.sleep((max(ahead) - now).total_seconds() + 1)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a change pass before a test that would meet it."""
    if not item.path.is_relative_to(UNIT):
        let_pass(CHANGES, minutes=2)


def pytest_report_header(config: pytest.Config) -> str:
    """Name what the tests run on."""
    version = f"Airflow {importlib.metadata.version('apache-airflow')}"
    if not _server:
        return version
    with _server.connect("postgres") as connection:
        return f"{version}, PostgreSQL {connection.info.parameter_status('server_version')}"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server and remove its files."""
    _stack.close()


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Set one of the package's settings, in the environment."""
    return lambda name, value: monkeypatch.setenv(f"AIRFLOW__COMMUNICATION_TRENDS__{name.upper()}", value)


@pytest.fixture(scope="session")
def server() -> Server:
    """The PostgreSQL server."""
    assert _server
    return _server


def insert_trend(
    connection: psycopg.Connection[Any], slug: str, date: object, columns: dict[str, Any], kind: str = "daily"
) -> None:
    """Insert a trend as another writer would, without provenance; dicts and lists are JSON."""
    values = [json.dumps(value) if isinstance(value, dict | list) else value for value in columns.values()]
    connection.execute(
        f"insert into communication_trends (organization_id, trend_date, trend_period, {', '.join(columns)})"
        f" select id, %s, %s, {', '.join(['%s'] * len(columns))} from organizations where slug = %s",
        [date, kind, *values, slug],
    )


@dataclass
class Database:
    """
    A database with the application's tables and the trends, and ways to fill it.

    :param name: its name on the server.
    :param connection: commits each statement; rows are dicts.
    """

    name: str
    connection: psycopg.Connection[dict[str, Any]]
    organizations: dict[str, str] = field(default_factory=dict)

    def organization(self, slug: str) -> str:
        """Return the id of an organization, made if there is none yet."""
        if slug not in self.organizations:
            row = self.connection.execute(
                "insert into organizations (name, slug) values (%s, %s) returning id::text", (slug.title(), slug)
            ).fetchone()
            assert row
            self.organizations[slug] = row["id"]
        return self.organizations[slug]

    def classify(
        self,
        slug: str,
        *,
        topic: str = "general",
        at: datetime.datetime | str = "2026-11-01 12:00:00",
        channel: str | None = "C1",
        confidence: int | None = 80,
        sentiment: Any = None,
        count: int = 1,
    ) -> None:
        """Insert classified messages; ``at`` is UTC."""
        organization = self.organization(slug)
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into topic_classifications"
                " (organization_id, channel_id, suggestion_id, topic, confidence, sentiment, created_at)"
                " values (%s, %s, gen_random_uuid()::text, %s, %s, %s, %s)",
                [
                    (organization, channel, topic, confidence, None if sentiment is None else Jsonb(sentiment), at)
                    for _ in range(count)
                ],
            )

    def escalate(
        self, slug: str, severity: str, at: datetime.datetime | str | None = "2026-11-01 12:00:00", count: int = 1
    ) -> None:
        """Insert escalation alerts; ``at`` is UTC."""
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into escalation_alerts (organization_id, severity, created_at) values (%s, %s, %s)",
                [(self.organization(slug), severity, at) for _ in range(count)],
            )

    def insert_trend(self, slug: str, date: object, **columns: Any) -> None:
        """Insert a daily trend as another writer would."""
        self.organization(slug)
        insert_trend(self.connection, slug, date, columns)

    def on_write(
        self,
        action: str,
        *,
        slug: str | None = None,
        when: str = "before insert or update",
        table: str = "communication_trends",
        is_deferred: bool = False,
        name: str = "interfere",
    ) -> None:
        """Run PL/pgSQL for each row that is written, of one organization or of all, at once or at the commit."""
        if slug:
            action = f"if new.organization_id = '{self.organization(slug)}' then {action} end if;"
        kind, deferred = ("constraint", "deferrable initially deferred") if is_deferred else ("or replace", "")
        self.connection.execute(
            f"create or replace function {name}() returns trigger language plpgsql as"
            f" $$ begin {action} return new; end $$;"
            f" create {kind} trigger {name} {when} on {table} {deferred} for each row execute function {name}()"
        )

    def trends(self, period: str = "daily") -> dict[tuple[str, str], dict[str, Any]]:
        """Return what is stored of one kind of period, by slug and date."""
        rows = self.connection.execute(
            "select slug, trends.* from communication_trends as trends"
            " join organizations on organizations.id = trends.organization_id where trend_period = %s",
            (period,),
        ).fetchall()
        return {(row["slug"], str(row["trend_date"].date())): row for row in rows}

    def trend(self, slug: str, date: object = DAY) -> dict[str, Any]:
        """Return the stored trend of one organization and day."""
        return self.trends()[slug, str(date)]


@contextmanager
def made_database(server: Server) -> Iterator[Database]:
    """Make a database with the application's tables and the trends, all empty, and drop it at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.create_database(name, template=os.environ["TEMPLATE_DATABASE"])
    try:
        with server.connect(name, row_factory=dict_row) as connection:
            yield Database(name, connection)
    finally:
        server.drop_database(name)


@pytest.fixture
def database(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """An empty database, which Airflow's connection ``communication_trends_db`` points to."""
    with made_database(server) as database:
        monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
        yield database


@contextmanager
def made_role(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """Make a role without any privilege of its own, with the password ``a-password``, and drop it at the end."""
    name = f"role_{uuid.uuid4().hex[:8]}"
    connection.execute(f"create role {name} login password 'a-password'")
    try:
        yield name
    finally:
        connection.execute(f"drop owned by {name}; drop role {name}")


@pytest.fixture
def role(server: Server, database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A role without any privilege of its own, which Airflow connects as."""
    with made_role(database.connection) as name:
        connection = server.airflow_connection(database.name, login=name, password="a-password")
        monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", connection)
        yield name


def grant_all(database: Database, role: str) -> None:
    """Apply sql/schema/grants.sql for a role of another name."""
    grants = (ROOT / "sql" / "schema" / "grants.sql").read_text()
    database.connection.execute(grants.replace("to communication_trends;", f"to {role};"))


def rows_handled(node: dict[str, Any]) -> list[float]:
    """Return of each node of a plan, from ``explain (analyze, format json)``, how many rows it has handled."""
    rows = node["Actual Rows"] + node.get("Rows Removed by Join Filter", 0) + node.get("Rows Removed by Filter", 0)
    below = [count for child in node.get("Plans", []) for count in rows_handled(child)]
    return [node["Actual Loops"] * rows, *below]


@contextmanager
def running_airflow_on(server: Server, home: Path, **settings: str) -> Iterator[tuple[Airflow, Database]]:
    """
    Run a separate Airflow on separate databases; no component is started yet.

    :param server: where both databases are made.
    :param home: its AIRFLOW_HOME.
    :param settings: environment variables besides those of the stack.
    """
    with made_database(server) as database:
        metadata = f"airflow_{uuid.uuid4().hex[:12]}"
        server.create_database(metadata, template=os.environ["EMPTY_METADATA_DATABASE"])
        environment = airflow_environment(home, server, metadata=metadata, database=database.name)
        # several run side by side: what each does while it waits is time that the others lack
        environment["AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME"] = "1"
        environment["AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"] = "120"
        # more than that: Airflow 3.0 takes a file whose callback it has run for parsed, and its DAGs for gone
        environment["AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD"] = "600"
        airflow = Airflow({**environment, **settings})
        try:
            yield airflow, database
        finally:
            airflow.stop()
            server.drop_database(metadata)


@dataclass(frozen=True)
class Run:
    """
    One finished run of the DAG.

    :param state: the run's.
    :param tasks: state of each task instance, by (task id, map index).
    :param names: name of each mapped task instance in the UI, by map index.
    :param summary: what ``summarize`` returned.
    :param log: what the task instances logged.
    """

    state: str
    tasks: dict[tuple[str, int], str]
    names: dict[int, str | None]
    summary: dict[str, Any] | None
    log: str


@pytest.fixture
def run_dag(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Run the DAG once, as ``airflow dags test`` does, with a conf; without retries, which would only take time."""

    def run(
        conf: dict[str, Any] | None = None,
        *,
        retries: int = 0,
        dag_id: str = "communication_trends_daily",
        **kwargs: Any,
    ) -> Run:
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from airflow_dag import run_once

        capfd.readouterr()
        dag_run = run_once(conf, dag_id=dag_id, retries=retries, **kwargs)
        out, err = capfd.readouterr()
        with create_session() as session:
            instances = dag_run.get_task_instances(session=session)
            pushed = XComModel.get_many(key="return_value", run_id=dag_run.run_id, task_ids="summarize", dag_ids=dag_id)
            row = session.execute(pushed).scalars().first()
            return Run(
                state=str(dag_run.state),
                tasks={(ti.task_id, ti.map_index): str(ti.state) for ti in instances},
                names={ti.map_index: ti.rendered_map_index for ti in instances if ti.map_index >= 0},
                summary=XComModel.deserialize_value(row) if row else None,
                log=out + err + caplog.text,
            )

    return run
