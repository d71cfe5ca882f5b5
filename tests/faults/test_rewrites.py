"""Tables that the application rewrites while a run reads them: to the run's snapshot they would look empty."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from conftest import NOV_1
from waiting import in_background, wait_until

from communication_trends.core.aggregation import Aggregation
from communication_trends.core.database import SOURCE_TABLES, Database, Limits
from communication_trends.core.errors import OutdatedSnapshotError
from communication_trends.core.period import DAILY
from communication_trends.core.report import AggregationReport
from communication_trends.core.work import Work
from local import ROOT

NOV_1_PERIOD = DAILY.containing(datetime.date(2026, 11, 1))

REWRITES = {
    "another type": "alter table {0} alter id type text",
    "a volatile default": "alter table {0} add column made_up uuid default gen_random_uuid()",
    "unlogged": "alter table {0} set unlogged",
    "truncated and loaded": (
        "create temporary table rows as select * from {0}; truncate {0}; insert into {0} select * from rows"
    ),
    "exchanged": (
        "create table filled (like {0} including all); insert into filled select * from {0};"
        " alter table {0} rename to old; alter table filled rename to {0}"
    ),
    "rewritten, but visible": "cluster {0} using {0}_pkey",
}
SHAPES = {
    "table": "select",
    "view": ("alter table {0} rename to base; create view {0} as select * from base"),
    "partitioned": (
        "alter table {0} rename to base; create table {0} (like base) partition by list (organization_id);"
        " alter table {0} attach partition base default"
    ),
    # PostgreSQL does not record what such a function reads
    "function": (
        "alter table {0} rename to base;"
        " create function read_base() returns table (organization_id uuid, channel_id text, topic text, confidence int,"
        " sentiment jsonb, created_at timestamp) language plpgsql stable as 'begin return query select"
        " b.organization_id, b.channel_id, b.topic, b.confidence, b.sentiment, b.created_at from base as b; end';"
        " create view {0} as select * from read_base()"
    ),
    "inherited": "alter table {0} rename to base; create table {0} (like base); alter table base inherit {0}",
}


def waiting(database) -> list[Any]:
    return database.connection.execute(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    ).fetchall()


def during(server, database, statements: str, action: Callable[[], Any]) -> Any:
    """Return what an action returns that meets a table while some statements, not yet committed, lock it."""
    found: list[Any] = []
    with psycopg.connect(server.dsn(database.name)) as session:
        session.execute(statements)
        thread = threading.Thread(target=lambda: found.append(action()))
        thread.start()
        wait_until(lambda: waiting(database), seconds=30)
        session.commit()
        thread.join()
    return found[0]


def opened(server, name: str) -> Database:
    connection = psycopg.connect(server.dsn(name))
    return Database(connection, sql_path=ROOT / "sql", limits=Limits(statement=60, lock=30), name="connection 'a'")


def aggregate(server, database) -> AggregationReport:
    source = opened(server, database.name)
    try:
        return Aggregation(Work(list(database.organizations.values()), NOV_1_PERIOD), source=source).run()
    finally:
        source.connection.close()


def fill(database) -> None:
    for slug in ("acme", "beta"):
        database.classify(slug, count=3)
        database.escalate(slug, "high", count=2)


def numbers(database) -> dict[str, tuple[int, Any]]:
    return {
        slug: (row["total_classifications"], row["escalation_counts"]) for (slug, _), row in database.trends().items()
    }


@pytest.mark.parametrize("rewrite", REWRITES)
@pytest.mark.parametrize("table", ["topic_classifications", "escalation_alerts"])
def test_a_source_table_rewritten_while_it_is_read_is_read_again(server, database, table, rewrite):
    fill(database)
    report = during(server, database, REWRITES[rewrite].format(table), lambda: aggregate(server, database))
    assert [result.status for result in report.results] == ["filled", "filled"]
    assert numbers(database) == {"acme": (3, {"high": 2}), "beta": (3, {"high": 2})}


@pytest.mark.parametrize("shape", SHAPES)
def test_so_is_what_the_table_is_made_from(server, database, shape):
    fill(database)
    database.connection.execute(SHAPES[shape].format("topic_classifications"))
    rewrite = "create temporary table rows as select * from base; truncate base; insert into base select * from rows"
    if shape == "table":
        rewrite = rewrite.replace("base", "topic_classifications")
    aggregate(server, database)
    database.connection.execute("truncate communication_trends, communication_trends_provenance")
    during(server, database, rewrite, lambda: aggregate(server, database))
    assert numbers(database) == {"acme": (3, {"high": 2}), "beta": (3, {"high": 2})}


def test_an_exchanged_partition_is_read_again(server, database):
    fill(database)
    database.connection.execute(SHAPES["partitioned"].format("topic_classifications"))
    exchange = (
        "create table other (like base); insert into other select * from base;"
        " alter table topic_classifications detach partition base;"
        " alter table topic_classifications attach partition other default"
    )
    during(server, database, exchange, lambda: aggregate(server, database))
    assert numbers(database) == {"acme": (3, {"high": 2}), "beta": (3, {"high": 2})}


def test_a_rewritten_table_of_organizations_deletes_none(server, database, run_dag):
    fill(database)
    rewrite = (
        "alter table organizations alter name type varchar(200), add column made_up uuid default gen_random_uuid()"
    )
    report = during(server, database, rewrite, lambda: aggregate(server, database))
    assert report.deleted == []
    assert len(database.trends()) == 2
    # nor does it shorten the list of a run, or fail those that its conf names
    for conf in (NOV_1, {**NOV_1, "organizations": ["acme", "beta"]}):
        database.connection.execute("truncate communication_trends, communication_trends_provenance")
        with psycopg.connect(server.dsn(database.name)) as session:
            session.execute("alter table organizations add column again uuid default gen_random_uuid()")
            with in_background(lambda session=session: _commit_once_waited_for(database, session)):
                run = run_dag(conf)
        database.connection.execute("alter table organizations drop column again")
        assert run.state == "success"
        assert run.summary["organizationsProcessed"] == 2


def _commit_once_waited_for(database, session) -> None:
    wait_until(
        lambda: database.connection.execute(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            " and query ilike '%%from organizations%%' and now() - query_start > interval '1 second'"
        ).fetchall(),
        seconds=60,
    )
    session.commit()


def test_what_was_read_of_a_rewritten_table_is_refused_by_its_name(server, database):
    fill(database)
    database.connection.execute(SHAPES["view"].format("topic_classifications"))
    source = opened(server, database.name)
    with source.connection, source.transaction(read_only=True) as transaction:
        transaction.require_unchanged(SOURCE_TABLES)
        database.connection.execute("truncate base")
        with pytest.raises(OutdatedSnapshotError, match="connection 'a': base: truncated, rewritten or exchanged"):
            transaction.require_unchanged(SOURCE_TABLES)
