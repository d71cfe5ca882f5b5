"""OpenLineage's events of real runs, written by its file transport; and that without it nothing is done for it."""

from __future__ import annotations

import collections
import json
import os
import socket

import pytest
from airflow_dag import DAG_ID
from conftest import running_airflow_on
from psycopg.conninfo import conninfo_to_dict

from local.airflow import run_airflow

DAY = "2026-11-05"
CONF = {"date": DAY, "lookback": 2}


@pytest.fixture(scope="module")
def two_databases(server, tmp_path_factory):
    """An Airflow that reads one database, where the tables are in a schema of their own, and writes another."""
    home = tmp_path_factory.mktemp("lineage")
    with running_airflow_on(server, home) as (airflow, target):
        source_name = f"source_{target.name}"
        server.create_database(source_name, template=os.environ["TEMPLATE_DATABASE"])
        try:
            with server.connect(source_name) as source:
                source.execute("create schema app")
                for table in ("organizations", "topic_classifications", "escalation_alerts"):
                    source.execute(f"alter table {table} set schema app")
                source.execute("drop table communication_trends")
                source.execute("insert into app.organizations (name, slug) values ('Acme', 'acme'), ('Bolt', 'bolt')")
                source.execute("update app.organizations set created_at = '2026-10-01'")
                for slug, day, messages, alerts in [("acme", 5, 7, 2), ("acme", 4, 4, 1), ("bolt", 5, 3, 0)]:
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
                source_name, extra={"options": "-c search_path=app"}
            )
            airflow.environment["AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID"] = "reader"
            yield airflow, target, source_name
        finally:
            server.drop_database(source_name)


def rows_of(datasets, kind):
    return frozenset(
        ((one["namespace"], one["name"]), one[f"{kind}Facets"][f"{kind}Statistics"]["rowCount"]) for one in datasets
    )


def test_a_run_tells_openlineage_which_tables_it_read_and_wrote_and_how_many_rows(two_databases, server, tmp_path):
    airflow, target, source_name = two_databases
    events = tmp_path / "events.jsonl"
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    airflow.environment["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(transport)
    run_airflow(airflow.environment, "dags", "reserialize")
    run_airflow(airflow.environment, "dags", "unpause", DAG_ID)
    airflow.start()
    run_airflow(airflow.environment, "dags", "trigger", DAG_ID, "-r", "told", "-c", json.dumps(CONF))

    def completed():
        if not events.exists():
            return None
        told = [json.loads(line) for line in events.read_text().splitlines()]
        of_run = [
            event
            for event in told
            if event["eventType"] == "COMPLETE"
            and event["run"]["facets"].get("airflow", {}).get("dagRun", {}).get("run_id") == "told"
            and "taskInstance" in event["run"]["facets"]["airflow"]
        ]
        return of_run if any(event["job"]["name"].endswith(".summarize") for event in of_run) else None

    found = airflow.wait_until(completed, seconds=240, what="summarize has told")
    airflow.stop()
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
