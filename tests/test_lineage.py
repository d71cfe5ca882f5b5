"""OpenLineage's events of real runs, written by its file transport; and that without it nothing is done for it."""

from __future__ import annotations

import collections
import json
import os
import socket
import subprocess
import sys

import pytest
from airflow_dag import DAG_ID
from conftest import made_database, running_airflow_on
from psycopg.conninfo import conninfo_to_dict

from local import ROOT

DAY = "2026-11-05"
CONF = {"date": DAY, "lookback": 2}


@pytest.fixture(scope="module")
def two_databases(server, tmp_path_factory):
    """An Airflow that reads one database, where the tables are in a schema of their own, and writes another."""
    home = tmp_path_factory.mktemp("lineage")
    with running_airflow_on(server, home) as (airflow, target), made_database(server) as made:
        with server.connect(made.name) as source:
            source.execute("create schema app")
            for table in ("organizations", "topic_classifications", "escalation_alerts"):
                source.execute(f"alter table {table} set schema app")
            source.execute("drop table communication_trends")
            source.execute("insert into app.organizations (name, slug) values ('Acme', 'acme'), ('Bolt', 'bolt')")
            source.execute("update app.organizations set created_at = '2026-10-01'")
            for slug, day, messages, alerts in [
                ("acme", 5, 7, 2),
                ("acme", 4, 4, 1),
                ("bolt", 5, 3, 0),
                # so old that the source is known to go back further than the lookback
                ("bolt", 1, 1, 0),
            ]:
                of_slug = f"from app.organizations, generate_series(1, %s) where slug = '{slug}'"
                source.execute(
                    f"insert into app.topic_classifications (organization_id, topic, created_at)"
                    f" select organizations.id, 'general', '2026-11-{day:02} 12:00' {of_slug}",
                    [messages],
                )
                source.execute(
                    f"insert into app.escalation_alerts (organization_id, severity, created_at)"
                    f" select organizations.id, 'high', '2026-11-{day:02} 12:00' {of_slug}",
                    [alerts],
                )
            for row in source.execute("select id, name, slug, created_at from app.organizations").fetchall():
                target.connection.execute(
                    "insert into organizations (id, name, slug, created_at) values (%s, %s, %s, %s)", row
                )
        airflow.environment["AIRFLOW_CONN_READER"] = server.airflow_connection(
            made.name, extra={"options": "-c search_path=app"}
        )
        airflow.environment["AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID"] = "reader"
        yield airflow, target, made.name


def run(airflow, **settings):
    """Run the DAG in a process of its own, and return what that process imported of lineage."""
    code = (
        f"import json, os, sys; from airflow_dag import run_once; run = run_once({CONF!r})\n"
        "ours = [name for name in sys.modules if name.startswith(('communication_trends.lineage', 'openlineage.'))]\n"
        # on a separate line: what else is logged may not have ended its line
        "os.write(1, f'\\ntold: {json.dumps([str(run.state), ours])}\\n'.encode())"
    )
    path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    environment = {**os.environ, **airflow.environment, "PYTHONPATH": path, **settings}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    (told,) = [line.removeprefix("told: ") for line in result.stdout.splitlines() if line.startswith("told: ")]
    state, modules = json.loads(told)
    assert state.endswith("success")
    return modules


def transport(path):
    return {"AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(path), "append": True})}


def sessions(server, *databases):
    """Return how many sessions databases have had, those of the test apart."""
    with server.connect("postgres") as connection:
        statement = "select sum(sessions) from pg_stat_database where datname = any(%s)"
        return int(connection.execute(statement, [list(databases)]).fetchone()[0])


def rows_of(datasets, kind):
    return frozenset(
        ((one["namespace"], one["name"]), one[f"{kind}Facets"][f"{kind}Statistics"]["rowCount"]) for one in datasets
    )


@pytest.fixture(scope="module")
def lineage(two_databases, server, tmp_path_factory):
    """Return what a run with lineage has told and imported, and how many sessions it has opened."""
    airflow, target, source_name = two_databases
    path = tmp_path_factory.mktemp("events") / "events"
    before = sessions(server, target.name, source_name)
    modules = run(airflow, **transport(path))
    opened = sessions(server, target.name, source_name) - before
    return [json.loads(line) for line in path.read_text().splitlines()], modules, opened


def test_a_run_tells_openlineage_which_tables_it_read_and_wrote_and_how_many_rows(two_databases, server, lineage):
    _, target, source_name = two_databases
    events, _, _ = lineage
    found = [event for event in events if event["eventType"] == "COMPLETE" and "." in event["job"]["name"]]
    given = conninfo_to_dict(server.uri)
    host = str(given.get("host") or "")
    namespace = f"postgres://{socket.gethostname() if host.startswith('/') else host}:{given.get('port') or 5432}"
    source = {
        table: (namespace, f"{source_name}.app.{table}")
        for table in ("organizations", "topic_classifications", "escalation_alerts")
    }
    trends = (namespace, f"{target.name}.public.communication_trends")
    told = collections.Counter(
        (event["job"]["name"], rows_of(event["inputs"], "input"), rows_of(event["outputs"], "output"))
        for event in found
    )
    aggregated = f"{DAG_ID}.aggregate_organization"
    assert told == collections.Counter(
        [
            (f"{DAG_ID}.list_organizations", frozenset({(source["organizations"], 2)}), frozenset()),
            # acme: 7 messages and 4 the day before; a row of each of three days
            (
                aggregated,
                frozenset(zip(source.values(), [1, 11, 3], strict=True)),
                frozenset({(trends, 3)}),
            ),
            (
                aggregated,
                frozenset(zip(source.values(), [1, 3, 0], strict=True)),
                frozenset({(trends, 3)}),
            ),
            (
                f"{DAG_ID}.summarize",
                frozenset({((namespace, f"{target.name}.public.organizations"), 2), (trends, 6)}),
                frozenset(),
            ),
        ]
    )


def test_without_openlineage_nothing_is_imported_and_nobody_asked_for_it(two_databases, server, lineage, tmp_path):
    airflow, target, source_name = two_databases
    target.connection.execute("truncate communication_trends")
    before = sessions(server, target.name, source_name)
    modules = run(airflow, **transport(tmp_path / "events"), AIRFLOW__OPENLINEAGE__DISABLED="True")
    opened = sessions(server, target.name, source_name) - before
    assert (modules, (tmp_path / "events").exists()) == ([], False)
    _, with_lineage, opened_with_lineage = lineage
    assert with_lineage
    # to name the tables: of the list one database, of two organizations both, of the summary one
    assert opened_with_lineage - opened == 6
