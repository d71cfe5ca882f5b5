"""What a run says of the tables before anything runs, compared with what PostgreSQL then does with them."""

from __future__ import annotations

import datetime
import itertools
import re
import time
from contextlib import closing
from typing import Any

import psycopg
import pytest
from conftest import DAY, NOV_1, grant_all

from communication_trends.core.database import Database, Limits
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY
from communication_trends.core.preflight import Preflight
from local import ROOT
from local.servers import apply_schema

KEY = "organization_id, trend_date, trend_period"
OUR_INDEX = "communication_trends_organization_day_idx"


@pytest.fixture
def role(role, database):
    """A role that may do what sql/schema/grants.sql says, which Airflow connects as."""
    grant_all(database, role)
    return role


def check(connection, *, sides=("source", "target"), period=None) -> dict[str, str]:
    """Return what a run finds before it begins: each problem with its remedy."""
    autocommit = connection.autocommit
    database = Database(connection, sql_path=ROOT / "sql", limits=Limits())
    try:
        found = Preflight(database, sides=sides, period=period or DAILY.containing(DAY)).problems()
    finally:
        connection.autocommit = autocommit
    return {problem.what: problem.remedy for problem in found}


def checked(server, database, **kwargs) -> dict[str, str]:
    with psycopg.connect(server.dsn(database.name)) as connection:
        return check(connection, **kwargs)


def store(connection, organization: str) -> None:
    """Store one trend as sql/upsert_trends.sql does."""
    connection.execute(
        "insert into communication_trends as stored (id, organization_id, trend_date, trend_period, topic_distribution,"
        " sentiment_distribution, escalation_counts, channel_hotspots, total_classifications, avg_confidence)"
        f" values (gen_random_uuid(), '{organization}', '2026-11-01', 'daily', '{{}}', '{{}}', '{{}}', '[]', 1, null)"
        f" on conflict ({KEY}) do update set total_classifications = excluded.total_classifications"
    )


def error_of_storing(connection, organization: str) -> str | None:
    """Store the same trend twice; return PostgreSQL's message, or None where there is exactly one row then."""
    with connection.transaction(force_rollback=True):
        try:
            store(connection, organization)
            store(connection, organization)
        except psycopg.Error as error:
            return str(error)
        assert len(connection.execute("select from communication_trends").fetchall()) == 1
    return None


def fail_to_index(connection, name: str, *, before_reading: bool) -> Any:
    """Leave an invalid index, as a failed ``create index concurrently`` does."""
    statement = f"create unique index concurrently {name} on communication_trends ({KEY})"
    if before_reading:
        # ended while it waits for those who use the table: it was never filled
        with psycopg.connect(connection.info.dsn) as other:
            other.execute("lock table communication_trends in row exclusive mode")
            connection.execute("set lock_timeout = '100ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                connection.execute(statement)
            connection.execute("reset lock_timeout")
        return
    connection.execute("insert into organizations (name, slug) values ('double', 'double')")
    for _ in range(2):
        connection.execute(
            "insert into communication_trends (organization_id, trend_date, trend_period)"
            " select id, '2026-10-01', 'daily' from organizations where slug = 'double'"
        )
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(statement)
    connection.execute("delete from communication_trends")


UNIQUE = f"create unique index i on communication_trends ({KEY})"


def index(columns: str, name: str = "i") -> str:
    return f"create unique index {name} on communication_trends ({columns})"


def constraint(rest: str, name: str = "c") -> str:
    return f"alter table communication_trends add constraint {name} {rest}"


NO_PRIMARY_KEY = "alter table communication_trends drop constraint communication_trends_pkey;"
INDEXES = {
    "none": "select",
    "this": UNIQUE,
    "another order": index("trend_period, organization_id, trend_date"),
    "descending": index(f"{KEY} desc nulls last"),
    "no unique one": f"create index i on communication_trends ({KEY})",
    "no unique one of its name": f"create index {OUR_INDEX} on communication_trends ({KEY})",
    "two of the columns": index("organization_id, trend_date"),
    "four columns": index(f"{KEY}, total_classifications"),
    "four columns under its name": index(f"{KEY}, created_at", OUR_INDEX),
    "a column twice": index(f"{KEY}, trend_date"),
    "more included": f"{UNIQUE} include (total_classifications)",
    "a key column included as well": f"{UNIQUE} include (trend_date)",
    "a key column only included": f"{index('organization_id, trend_date')} include (trend_period)",
    "with a condition": f"{UNIQUE} where trend_period = 'daily'",
    "with a condition, of its name": f"{index(KEY, OUR_INDEX)} where id is null",
    "with a condition that is true": f"{UNIQUE} where true",
    "on an expression": index("organization_id, date_trunc('day', trend_date), trend_period"),
    "with an expression more": index(f"{KEY}, lower(trend_period)"),
    "another collation": index('organization_id, trend_date, trend_period collate "C"'),
    "another operator class": index("organization_id, trend_date, trend_period text_pattern_ops"),
    "nulls not distinct": f"{UNIQUE} nulls not distinct",
    "a constraint": constraint(f"unique ({KEY})"),
    "a deferrable constraint": constraint(f"unique ({KEY}) deferrable"),
    "a deferred constraint": constraint(f"unique ({KEY}) deferrable initially deferred"),
    "a deferrable constraint of its name": constraint(f"unique ({KEY}) deferrable", OUR_INDEX),
    "a second, deferrable constraint": f"{UNIQUE}; {constraint(f'unique ({KEY}) deferrable')}",
    "a deferrable constraint on others": f"{UNIQUE}; {constraint('unique (organization_id, trend_date) deferrable')}",
    "the primary key": NO_PRIMARY_KEY + constraint(f"primary key ({KEY})"),
    "a deferrable primary key": NO_PRIMARY_KEY + constraint(f"primary key ({KEY}) deferrable"),
    "an exclusion constraint": constraint(
        "exclude using btree (organization_id with =, trend_date with =, trend_period with =)"
    ),
    "an index over a quoted name": f'create unique index "My ""Index" on communication_trends ({KEY}) where id is null',
    "invalid": lambda connection: fail_to_index(connection, "i", before_reading=False),
    "invalid, of its name": lambda connection: fail_to_index(connection, OUR_INDEX, before_reading=False),
    "invalid, never filled": lambda connection: fail_to_index(connection, "i", before_reading=True),
    "a second, invalid one": lambda connection: (
        connection.execute(UNIQUE),
        fail_to_index(connection, "other", before_reading=True),
    ),
}


def partitioned(by: str, *partitions: str) -> str:
    """Return what makes a partitioned table, of partitions that are each given as "name values"."""
    return (
        "drop table communication_trends; create table communication_trends (id uuid not null default"
        " gen_random_uuid(), organization_id uuid not null, trend_date timestamp not null, trend_period text not null,"
        " topic_distribution jsonb, sentiment_distribution jsonb, escalation_counts jsonb, channel_hotspots jsonb,"
        f" total_classifications integer, avg_confidence integer, created_at timestamp) partition by {by};"
    ) + "".join(
        f"create table {name} partition of communication_trends {values};"
        for name, _, values in (one.partition(" ") for one in partitions)
    )


DATES = "range (trend_date)"
MONTHS = partitioned(DATES, "november for values from ('2026-11-01') to ('2026-12-01')", "remainder default")
ONE_HASH = "p for values with (modulus 1, remainder 0)"
ON_ONLY = f"create unique index i on only communication_trends ({KEY});"
NOVEMBER_ATTACHED = f"create unique index n on november ({KEY}); alter index i attach partition n;"
INDEXES |= {
    "partitioned: none": MONTHS,
    "partitioned: this": MONTHS + UNIQUE,
    "partitioned: on only the parent": MONTHS + ON_ONLY,
    "partitioned: on only the parent, of its name": MONTHS + ON_ONLY.replace("index i", f"index {OUR_INDEX}"),
    "partitioned: one partition attached": MONTHS + ON_ONLY + NOVEMBER_ATTACHED,
    "partitioned: each attached": (
        f"{MONTHS}{ON_ONLY}{NOVEMBER_ATTACHED}"
        f" create unique index r on remainder ({KEY}); alter index i attach partition r"
    ),
    "partitioned: on each partition, not the parent": (
        f"{MONTHS} create unique index n on november ({KEY}); create unique index r on remainder ({KEY})"
    ),
    "partitioned: a constraint on only the parent": (
        f"{MONTHS} alter table only communication_trends add constraint c unique ({KEY})"
    ),
    "partitioned: deferrable": MONTHS + constraint(f"unique ({KEY}) deferrable"),
    "partitioned: by period": partitioned("list (trend_period)", "days for values in ('daily')") + UNIQUE,
    "partitioned: by organization": partitioned("hash (organization_id)", ONE_HASH) + UNIQUE,
}


@pytest.mark.parametrize("case", INDEXES)
def test_the_unique_index_is_judged_as_on_conflict_does_and_the_remedy_works(server, database, case):
    connection = database.connection
    organization = database.organization("acme")
    if case == "nulls not distinct" and connection.info.server_version < 150000:
        pytest.skip("since PostgreSQL 15")
    connection.execute(f"drop index {OUR_INDEX}")
    make = INDEXES[case]
    make(connection) if callable(make) else connection.execute(make)

    error = error_of_storing(connection, organization)
    problems = checked(server, database)
    assert (error is None) == (problems == {}), f"PostgreSQL: {error}; the check: {problems}"

    for remedy in problems.values():
        for statement in re.findall(r'(?:drop index|alter table \w+ drop constraint) (?:"(?:[^"]|"")+"|\w+)', remedy):
            connection.execute(statement)
        assert "apply sql/schema/communication_trends.sql" in remedy
        apply_schema(connection, "communication_trends.sql")
    assert error_of_storing(connection, organization) is None
    assert checked(server, database) == {}


@pytest.mark.parametrize("columns", [*itertools.permutations(KEY.split(", "))], ids="-".join)
def test_the_columns_of_the_index_may_be_in_any_order(server, database, columns):
    database.connection.execute(f"drop index {OUR_INDEX}")
    database.connection.execute(f"create unique index on communication_trends ({', '.join(columns)})")
    assert checked(server, database) == {}
    assert error_of_storing(database.connection, database.organization("acme")) is None


APPLIED = (ROOT / "sql" / "schema" / "communication_trends.sql").read_text()

# each case: what is done to the table, what the check says, and the remedy (in words, with a statement that does it)
STORING = {
    "an insert rule": (
        "create rule r as on insert to communication_trends do also notify stored",
        "it has the rule r",
        "drop rule r on communication_trends",
    ),
    "an update rule": (
        "create rule r as on update to communication_trends do also notify stored",
        "it has the rule r",
        "drop rule r on communication_trends",
    ),
    "an update rule that is disabled": (
        "create rule r as on update to communication_trends do also notify stored;"
        " alter table communication_trends disable rule r",
        "it has the rule r",
        "drop rule r on communication_trends",
    ),
    "a column that takes no null": (
        "alter table communication_trends add region text not null",
        'null value in column "region" of relation "communication_trends" violates not-null constraint',
        "alter table communication_trends alter region drop not null",
    ),
    "created_at without its default": (
        "alter table communication_trends alter created_at set not null, alter created_at drop default",
        'null value in column "created_at" of relation',
        ("or give it a default", "alter table communication_trends alter created_at set default now()"),
    ),
    "a column whose type takes no null": (
        "create domain region as text not null; alter table communication_trends add region region default 'eu';"
        " alter table communication_trends alter region drop default",
        "domain region does not allow null values",
        ("give the column a default", "alter table communication_trends alter region set default 'eu'"),
    ),
    "a column whose type takes no null, in spite of a trigger": (
        "create domain region as text not null; alter table communication_trends add region region default 'eu';"
        " alter table communication_trends alter region drop default;"
        " create function fill() returns trigger language plpgsql as $$ begin new.region := 'eu'; return new; end $$;"
        " create trigger fill before insert on communication_trends for each row execute function fill()",
        "domain region does not allow null values",
        ("or a type that allows null", "alter table communication_trends alter region type text"),
    ),
    "an average that takes no null": (
        "alter table communication_trends alter avg_confidence set not null",
        'null value in column "avg_confidence" of relation',
        "alter table communication_trends alter avg_confidence drop not null",
    ),
    "a generated column": (
        "alter table communication_trends drop avg_confidence;"
        " alter table communication_trends add avg_confidence integer"
        " generated always as (total_classifications) stored",
        'Column "avg_confidence" is a generated column',
        ("drop expression", "alter table communication_trends alter avg_confidence drop expression"),
    ),
    "an identity column": (
        "alter table communication_trends drop total_classifications;"
        " alter table communication_trends add total_classifications integer generated always as identity",
        'Column "total_classifications" is an identity column',
        (
            "set generated by default",
            "alter table communication_trends alter total_classifications set generated by default",
        ),
    ),
    "a missing partition": (
        partitioned(DATES, "october for values from (minvalue) to ('2026-11-01')") + UNIQUE,
        'no partition of relation "communication_trends" found for row',
        (
            "create the partition",
            "create table p partition of communication_trends for values from ('2026-11-01') to ('2026-12-01')",
        ),
    ),
    "a missing partition of timestamptz": (
        partitioned(DATES, "other for values from ('2026-11-01 00:00:01Z') to (maxvalue)").replace(
            "trend_date timestamp", "trend_date timestamptz"
        )
        + UNIQUE,
        'no partition of relation "communication_trends" found for row',
        "create table communication_trends_default partition of communication_trends default",
    ),
    "no partition at all": (
        partitioned("hash (organization_id)") + UNIQUE,
        'no partition of relation "communication_trends" found for row',
        (
            "create the partition",
            "create table p partition of communication_trends for values with (modulus 1, remainder 0)",
        ),
    ),
    "a missing partition of the period": (
        partitioned("list (trend_period)", "weeks for values in ('weekly', 'monthly')") + UNIQUE,
        'no partition of relation "communication_trends" found for row',
        "create table communication_trends_default partition of communication_trends default",
    ),
    "a missing partition of a partition": (
        partitioned("list (trend_period)", f"days for values in ('daily') partition by {DATES}")
        + f"create table old partition of days for values from ('2025-01-01') to ('2026-11-01'); {UNIQUE}",
        'no partition of relation "days" found for row',
        "create table days_default partition of days default",
    ),
    "a publication without a replica identity": (
        NO_PRIMARY_KEY + "create publication p for table communication_trends",
        'cannot update table "communication_trends" because it does not have a replica identity',
        ("replica identity full", "alter table communication_trends replica identity full"),
    ),
    "a publication of all tables without a replica identity": (
        NO_PRIMARY_KEY + "create publication p for all tables",
        'cannot update table "communication_trends" because it does not have a replica identity',
        ("or give it a primary key", "alter table communication_trends add primary key (id)"),
    ),
    "a publication with the identity nothing": (
        "alter table communication_trends replica identity nothing; create publication p for all tables",
        'cannot update table "communication_trends" because it does not have a replica identity',
        ("replica identity full", "alter table communication_trends replica identity full"),
    ),
    "a publication of partitions without a replica identity": (
        f"{MONTHS} {UNIQUE}; create publication p for table communication_trends",
        'cannot update table "november" because it does not have a replica identity',
        (
            "replica identity full",
            "alter table november replica identity full; alter table remainder replica identity full",
        ),
    ),
    "a materialized view": (
        "create table stored (like communication_trends); drop table communication_trends;"
        " create materialized view communication_trends as select * from stored",
        "it is a materialized view",
        (
            "rename this and apply sql/schema/communication_trends.sql",
            "alter materialized view communication_trends rename to other;" + APPLIED,
        ),
    ),
    "a view over two tables": (
        "create table stored (like communication_trends); drop table communication_trends;"
        " create view communication_trends as"
        " select stored.* from stored join organizations on organizations.id = stored.organization_id",
        "it is a view that PostgreSQL cannot write through",
        (
            "rename this and apply sql/schema/communication_trends.sql",
            "alter view communication_trends rename to other;" + APPLIED,
        ),
    ),
}


@pytest.mark.parametrize("case", STORING)
def test_what_keeps_trends_from_being_stored_is_named_with_its_remedy(server, database, case):
    connection = database.connection
    organization = database.organization("acme")
    make, expected, fix = STORING[case]
    connection.execute(make)
    assert error_of_storing(connection, organization)
    problem, remedy = next(iter(checked(server, database).items()))
    assert expected in problem
    words, statement = fix if isinstance(fix, tuple) else (fix, fix)
    assert words in remedy
    connection.execute(statement)
    assert error_of_storing(connection, organization) is None
    assert checked(server, database) == {}


FINE = {
    "a rule that is disabled": (
        "create rule r as on insert to communication_trends do also notify stored;"
        " alter table communication_trends disable rule r"
    ),
    "a delete rule": "create rule r as on delete to communication_trends do instead nothing",
    "columns that fill themselves": (
        "create domain region as text default 'eu' not null; alter table communication_trends add a region,"
        " add b integer not null default 7, add c integer not null generated always as identity, add d serial not null,"
        " add e integer not null generated always as (total_classifications) stored, add f text"
    ),
    "a column that a trigger fills": (
        "alter table communication_trends add region text not null;"
        " create function fill() returns trigger language plpgsql as $$ begin new.region := 'eu'; return new; end $$;"
        " create trigger fill before insert on communication_trends for each row execute function fill()"
    ),
    "a partition": partitioned(DATES, "f for values from ('2026-11-01') to ('2026-11-02')") + UNIQUE,
    "a partition without limits": partitioned(DATES, "f for values from (minvalue) to (maxvalue)") + UNIQUE,
    "a partition by three columns": (
        partitioned(
            "range (trend_period, trend_date)", "f for values from ('daily', '2026-11-01') to ('daily', '2026-12-01')"
        )
        + UNIQUE
    ),
    "a partition by date": partitioned("list (trend_date)", "f for values in ('2026-11-01')") + UNIQUE,
    "partitions of partitions": (
        partitioned("list (trend_period)", f"days for values in ('daily') partition by {DATES}", "rest default")
        + "create table f partition of days for values from ('2026-11-01') to ('2026-12-01') partition by hash"
        " (organization_id);"
        f" create table p partition of f for values with (modulus 1, remainder 0); {UNIQUE}"
    ),
    "a view that PostgreSQL can write through": (
        "alter table communication_trends rename to stored; create view communication_trends as select * from stored"
    ),
    "a view with other names": (
        'alter table communication_trends rename to "Trends"; alter table "Trends" rename trend_date to "trendDate";'
        ' create view communication_trends as select id, organization_id, "trendDate" as trend_date, trend_period,'
        " topic_distribution, sentiment_distribution, escalation_counts, channel_hotspots, total_classifications,"
        ' avg_confidence from "Trends"'
    ),
    "a publication with a primary key": "create publication p for all tables",
    "a publication of all but updates": (
        NO_PRIMARY_KEY + "create publication p for table communication_trends with (publish = 'insert, delete')"
    ),
    "a publication of others": NO_PRIMARY_KEY + "create publication p for table organizations",
    "a publication with an index as identity": (
        f"{NO_PRIMARY_KEY} alter table communication_trends replica identity using index {OUR_INDEX};"
        " create publication p for table communication_trends"
    ),
    "an unlogged table": "alter table communication_trends set unlogged",
}


@pytest.mark.parametrize("case", FINE)
def test_what_keeps_no_trend_from_being_stored_is_no_problem(server, database, case):
    database.connection.execute(FINE[case])
    assert error_of_storing(database.connection, database.organization("acme")) is None
    assert checked(server, database) == {}


# The tables that are read


def source_error(connection) -> str | None:
    """Read the tables as the package does; return PostgreSQL's message, or None."""
    database = Database(connection, sql_path=ROOT / "sql", limits=Limits())
    try:
        with database.transaction(read_only=True) as transaction:
            transaction.rows("select id, slug from organizations")
            transaction.rows("select channel_id, topic, confidence, sentiment ->> 'tone' from topic_classifications")
            transaction.rows("select organization_id, severity, created_at from escalation_alerts")
    except psycopg.Error as error:
        return str(error)
    return None


MATERIALIZED = (
    'the source cannot be read: materialized view "{}" has not been populated. '
    "Use the REFRESH MATERIALIZED VIEW command [SQLSTATE 55000]"
)

# each with what the check says of it and what fixes it
READING = {
    "a table of another schema": (
        "create schema app; alter table topic_classifications set schema app",
        "topic_classifications: the table does not exist",
        "it is in the schema app: put that into the search_path of the connection",
        "alter database {name} set search_path = public, app",
    ),
    "a quoted name": (
        'alter table organizations rename to "Organizations"',
        "organizations: the table does not exist",
        '"Organizations" is not the same name: create a view of the lower-case name',
        'create view organizations as select * from "Organizations"',
    ),
    "a sequence of the name": (
        "alter table escalation_alerts rename to alerts; create sequence escalation_alerts",
        "escalation_alerts: the table does not exist",
        "check the database and the search_path of the connection",
        "drop sequence escalation_alerts; create view escalation_alerts as select * from alerts",
    ),
    "a quoted column": (
        'alter table topic_classifications rename channel_id to "channelId"',
        "topic_classifications.channel_id: the column does not exist",
        '"channelId" is not the same name: put a view that has it as channel_id first into the search_path',
        "create schema views; create view views.topic_classifications as"
        ' select *, "channelId" as channel_id from topic_classifications;'
        " alter database {name} set search_path = views, public",
    ),
    "a materialized view without rows": (
        "alter table topic_classifications rename to messages;"
        " create materialized view topic_classifications as select * from messages with no data",
        MATERIALIZED.format("topic_classifications"),
        "refresh materialized view",
        "refresh materialized view topic_classifications",
    ),
    "a view of a materialized view without rows": (
        "alter table escalation_alerts rename to alerts;"
        " create materialized view recent as select * from alerts with no data;"
        " create view latest as select * from recent; create view escalation_alerts as select * from latest",
        MATERIALIZED.format("recent"),
        "refresh materialized view",
        "refresh materialized view recent",
    ),
}


@pytest.mark.parametrize("case", READING)
def test_what_keeps_tables_from_being_read_is_named_with_its_remedy(server, database, case):
    make, expected, words, fix = READING[case]
    database.connection.execute(make)
    with server.connect(database.name) as connection:
        assert source_error(connection)
    ((problem, remedy),) = checked(server, database).items()
    assert problem == expected
    assert words in remedy
    database.connection.execute(fix.format(name=database.name))
    with server.connect(database.name) as connection:
        assert source_error(connection) is None
    assert checked(server, database) == {}


@pytest.mark.parametrize(
    ("privilege", "on"),
    [
        ("usage", "schema app"),
        ("select", "organizations"),
        ("select", "topic_classifications"),
        ("select", "escalation_alerts"),
        ("select", "communication_trends"),
        ("insert", "communication_trends"),
        ("update", "communication_trends"),
        ("update", "communication_trends_provenance"),
    ],
)
def test_a_missing_privilege_is_named_with_its_grant(server, database, role, privilege, on):
    connection = database.connection
    connection.execute(
        f"create schema app; grant usage on schema app to {role}; alter table organizations set schema app"
        f"; alter role {role} set search_path = app, public; set search_path = app, public"
    )
    with server.connect(database.name, user=role, password="a-password") as session:
        assert check(session) == {}
    organization = database.organization("acme")
    connection.execute(f"revoke {privilege} on {on} from {role}")
    with server.connect(database.name, user=role, password="a-password") as session:
        assert source_error(session) or error_of_storing(session, organization) or "provenance" in on
    with server.connect(database.name, user=role, password="a-password") as session:
        found = check(session)
    named = [problem for problem, remedy in found.items() if f"grant {privilege} on {on} to {role}" in remedy]
    assert named == [f"{on}: no {privilege} privilege"] or privilege == "usage", found
    for remedy in found.values():
        connection.execute(remedy.partition(" (")[0].partition(", and")[0])
    with server.connect(database.name, user=role, password="a-password") as session:
        assert source_error(session) is None
        assert error_of_storing(session, organization) is None
        assert check(session) == {}


def test_a_sequence_that_the_role_may_not_use_is_named(server, database, role):
    organization = database.organization("acme")
    database.connection.execute(
        "create sequence numbers; alter table communication_trends add number integer default nextval('numbers')"
    )
    with server.connect(database.name, user=role, password="a-password") as session:
        assert error_of_storing(session, organization)
        ((problem, remedy),) = check(session).items()
        assert "permission denied for sequence numbers [SQLSTATE 42501]" in problem
        assert "grant it to the role" in remedy
        database.connection.execute(f"grant usage on sequence numbers to {role}")
        assert check(session) == {}


def test_a_role_that_may_write_only_the_columns_that_are_written_is_enough(server, database, role):
    organization = database.organization("acme")
    written = "id, organization_id, trend_date, trend_period, topic_distribution, sentiment_distribution,"
    counted = "escalation_counts, channel_hotspots, total_classifications, avg_confidence"
    database.connection.execute(
        f"revoke all on communication_trends from {role};"
        f" grant select ({written} {counted}), insert ({written} {counted}) on communication_trends to {role};"
        f" grant update (topic_distribution, sentiment_distribution, {counted}) on communication_trends to {role}"
    )
    with server.connect(database.name, user=role, password="a-password") as session:
        assert check(session) == {}
        assert error_of_storing(session, organization) is None
        database.connection.execute(f"revoke update (channel_hotspots) on communication_trends from {role}")
        ((problem, _),) = check(session).items()
        assert "permission denied for table communication_trends [SQLSTATE 42501]" in problem


def test_an_empty_table_that_the_search_path_finds_first_is_no_source(server, database, run_dag):
    database.classify("acme", count=3)
    database.connection.execute(
        "create schema scratch; create table scratch.topic_classifications (like public.topic_classifications);"
        f" alter database {database.name} set search_path = scratch, public"
    )
    run = run_dag(NOV_1, retries=3)
    assert run.tasks["list_organizations", -1] == "failed"
    assert "topic_classifications of the schema scratch is empty and hides that of the schema public" in run.log
    assert database.connection.execute("select from public.communication_trends").fetchall() == []

    # two ways to fix it: only the right schema in the path, or rows in the table that comes first
    database.connection.execute(f"alter database {database.name} set search_path = public")
    assert checked(server, database) == {}
    database.connection.execute(
        "insert into scratch.topic_classifications select * from public.topic_classifications;"
        f" alter database {database.name} set search_path = scratch, public"
    )
    assert checked(server, database) == {}


def test_an_empty_partitioned_table_that_the_search_path_finds_first_is_no_source(server, database):
    database.classify("acme", count=3)
    database.connection.execute(
        "create schema scratch; create table scratch.topic_classifications (like public.topic_classifications)"
        " partition by range (created_at);"
        f" alter database {database.name} set search_path = scratch, public"
    )
    problem = "topic_classifications of the schema scratch is empty and hides that of the schema public"
    assert [problem in found for found in checked(server, database)] == [True]
    database.connection.execute("create table scratch.november partition of scratch.topic_classifications default")
    assert [problem in found for found in checked(server, database)] == [True]
    # rows in a partition are rows
    database.connection.execute("insert into scratch.topic_classifications select * from public.topic_classifications")
    assert checked(server, database) == {}


def test_a_new_database_whose_tables_are_all_empty_is_ready(server, database):
    database.connection.execute(
        "create schema other; create table other.topic_classifications (like public.topic_classifications);"
        f" alter database {database.name} set search_path = other, public"
    )
    assert checked(server, database) == {}


def test_a_temporary_table_that_hides_the_one_meant_is_named(server, database):
    with server.connect(database.name) as session:
        session.execute("create temp table topic_classifications (like public.topic_classifications)")
        ((problem, remedy),) = check(session).items()
        assert problem == "topic_classifications: a temporary table of the session hides the one that is meant"
        assert "server_reset_query = discard all" in remedy
        session.execute("discard all")
        assert check(session) == {}


def test_rows_in_tables_that_inherit_from_the_trends_are_named(server, database):
    database.connection.execute("create table trends_2025 () inherits (communication_trends)")
    ((problem, remedy),) = checked(server, database).items()
    assert problem == "communication_trends: trends_2025 inherits from it, and no unique index covers both"
    assert "move its rows into communication_trends" in remedy
    # chunks of a Timescale hypertable, which holds its unique indexes by itself
    database.connection.execute(
        "create schema _timescaledb_internal; alter table trends_2025 set schema _timescaledb_internal"
    )
    assert checked(server, database) == {}


def test_tables_that_others_inherit_from_are_read_with_them(database, run_dag):
    connection = database.connection
    database.classify("acme", count=2)
    connection.execute("create table november () inherits (topic_classifications)")
    connection.execute("insert into november select * from topic_classifications")
    assert run_dag(NOV_1).state == "success"
    assert database.trend("acme")["total_classifications"] == 4


@pytest.mark.parametrize("kind", ["view", "materialized view"])
def test_sources_may_be_views(database, run_dag, kind):
    database.classify("acme", topic="complaint", count=12)
    database.escalate("acme", "high")
    for table in ("topic_classifications", "escalation_alerts", "organizations"):
        database.connection.execute(f"alter table {table} rename to {table}_of_the_application")
        database.connection.execute(f"create {kind} {table} as select * from {table}_of_the_application")
    assert run_dag(NOV_1).state == "success"
    trend = database.trend("acme")
    assert (trend["total_classifications"], trend["escalation_counts"]) == (12, {"high": 1})
    assert trend["channel_hotspots"] == [{"channelId": "C1", "riskScore": 100, "messageCount": 12}]


@pytest.mark.extensions
def test_sources_may_be_foreign_tables_but_not_the_target(server, database, run_dag):
    connection = database.connection
    available = connection.execute("select from pg_available_extensions where name = 'postgres_fdw'").fetchall()
    if not available:
        pytest.skip("this PostgreSQL comes without postgres_fdw")
    database.classify("acme", count=3)
    given = connection.info.get_parameters()
    host = given.get("host") or given.get("hostaddr")
    connection.execute(
        "create extension postgres_fdw; create schema app; create server itself foreign data wrapper postgres_fdw"
        f" options (host '{host}', port '{connection.info.port}', dbname '{database.name}');"
        f" create user mapping for current_user server itself options (user '{connection.info.user}',"
        f" password '{connection.info.password}')"
    )

    def move(table: str) -> None:
        connection.execute(f"alter table {table} set schema app")
        connection.execute(f"import foreign schema app limit to ({table}) from server itself into public")

    for table in ("topic_classifications", "escalation_alerts"):
        move(table)
    run = run_dag(NOV_1)
    assert run.state == "success", run.log
    assert database.trend("acme")["total_classifications"] == 3
    # what cannot be known of the other server is said, of what hides rows only where it would hide them
    assert "topic_classifications is read from the foreign server itself: whether that is a standby that is" in run.log
    assert "alter server itself options (add options '-c row_security=off') makes that an error" in run.log

    move("communication_trends")
    assert error_of_storing(connection, database.organization("acme"))
    ((problem, _),) = checked(server, database).items()
    assert problem == "communication_trends: it is a foreign table, which PostgreSQL cannot update on conflict"


def test_that_a_materialized_view_may_be_old_is_said(database, run_dag):
    """Its last refresh was before the day, so its trend is one of nothing."""
    database.organization("acme")
    database.connection.execute(
        "alter table topic_classifications rename to messages;"
        " create materialized view refreshed as select * from messages;"
        " create view topic_classifications as select * from refreshed;"
        " insert into messages (organization_id, topic, created_at)"
        " select id, 'general', '2026-11-01' from organizations"
    )
    said = (
        "topic_classifications is read from the materialized view refreshed: whether that has been refreshed since the"
        " period ended cannot be known; refresh it before each run."
    )
    run = run_dag(NOV_1)
    assert (run.state, run.summary["totalClassifications"]) == ("success", 0)
    assert said in run.log
    assert "escalation_alerts is read from" not in run.log
    database.connection.execute("refresh materialized view refreshed")
    assert run_dag(NOV_1).summary["totalClassifications"] == 1


def test_what_cannot_be_known_of_a_foreign_server_is_said(server, database):
    database.connection.execute(
        "create foreign data wrapper any_wrapper; create server near foreign data wrapper any_wrapper"
        " options (options '-c statement_timeout=0 -c row_security=off');"
        "create server far foreign data wrapper any_wrapper; drop table escalation_alerts;"
        "create foreign table escalation_alerts (organization_id uuid) server near;"
        "create foreign table messages (organization_id uuid) server far;"
        "drop table topic_classifications;"
        "create view inner_view as select * from messages;"
        "create view topic_classifications as select * from inner_view"
    )
    with psycopg.connect(server.dsn(database.name)) as connection:
        source = Database(connection, sql_path=ROOT / "sql", limits=Limits(), name="connection 'a'")
        alerts, messages = source.replication.unseen_servers()
    assert alerts == (
        "connection 'a': escalation_alerts is read from the foreign server near: whether that is a standby that is "
        "behind cannot be known; let it be the primary"
    )
    assert messages.startswith("connection 'a': topic_classifications is read from the foreign server far: whether")
    assert messages.endswith("alter server far options (add options '-c row_security=off') makes that an error")


@pytest.mark.parametrize(
    ("view", "found"),
    [
        ("select * from base union all select * from base where slug = 'acme'", "{acme} (2 times)"),
        ("select * from base union all select null, 'none', 'none', now()::timestamp", "no id (1 times)"),
    ],
)
def test_organizations_that_are_listed_twice_or_without_an_id_are_named(server, database, run_dag, view, found):
    database.classify("acme", count=3)
    database.classify("beta")
    database.connection.execute(f"alter table organizations rename to base; create view organizations as {view}")
    expected = f"organizations: it lists {found.format(**database.organizations)}, instead of each organization once"
    ((problem, remedy),) = checked(server, database).items()
    assert problem == expected
    assert "correct the view" in remedy
    run = run_dag(NOV_1)
    assert (run.state, run.tasks["list_organizations", -1]) == ("failed", "failed")
    assert expected in run.log
    database.connection.execute("drop view organizations; alter table base rename to organizations")
    assert database.trends() == {}


@pytest.mark.parametrize(
    ("made", "remedy"),
    [
        ("create unique index narrow on communication_trends (trend_date, organization_id)", "drop index narrow"),
        (
            "alter table communication_trends add constraint narrow unique (organization_id, trend_date)",
            "alter table communication_trends drop constraint narrow",
        ),
    ],
)
def test_an_index_that_a_week_shares_with_its_monday_is_named_before(server, database, made, remedy):
    database.connection.execute(made)
    database.organization("acme")
    # while there are only days, only days are stored
    assert checked(server, database) == {}
    week = WEEKLY.containing(DAY)
    assert checked(server, database, period=week) == {}
    database.insert_trend("acme", week.start - datetime.timedelta(days=70), total_classifications=1)
    ((problem, found),) = checked(server, database, period=week).items()
    assert "allows one trend for each organization and date, but days, weeks and months begin on the same" in problem
    assert found == remedy
    assert checked(server, database) == {}
    database.connection.execute(found)
    assert checked(server, database, period=week) == {}


# What is tried, and what of it is the table's


# each with what is done to the table of two organizations, and what the check says and advises
REFUSED_FOR_ALL = {
    "a trigger that raises on update": (
        lambda database: database.on_write("raise 'no updates';", when="before update"),
        "function interfere() line 1 at RAISE (for each of 2 organizations) [SQLSTATE P0001]",
        "correct the application's triggers",
    ),
    "a deferred trigger that raises": (
        lambda database: database.on_write("raise 'not at all';", when="after insert", is_deferred=True),
        "not at all",
        "correct the application's triggers",
    ),
    "a trigger that drops the row": (
        lambda database: database.on_write("return null;"),
        "the stored row is not the one that was written: no row is there",
        "triggers and rules",
    ),
    "a trigger that writes something else": (
        lambda database: database.on_write("new.total_classifications := 7;"),
        "the stored row is not the one that was written: total_classifications is different",
        "triggers and rules",
    ),
    "a trigger whose table is gone": (
        lambda database: database.on_write("insert into log values (new.id);"),
        'relation "log" does not exist (for each of 2 organizations) [SQLSTATE 42P01]',
        "correct the application's function: PL/pgSQL function interfere() line 1 at SQL statement",
    ),
    "a trigger that writes the same key twice": (
        lambda database: database.on_write("create table log (key integer unique); insert into log values (7), (7);"),
        'violates unique constraint "log_key_key". Key (key)=(7) already exists (for each of 2 organizations)',
        "correct the application's triggers and rules",
    ),
    "a column that is too narrow for a percentage": (
        "alter table communication_trends alter avg_confidence type numeric(3, 2)",
        "numeric field overflow. A field with precision 3, scale 2 must round to an absolute value less than 10^1",
        "make the numbers as wide as in sql/schema/communication_trends.sql",
    ),
    "a check that no row passes": (
        "alter table communication_trends add check (false) not valid",
        'violates check constraint "communication_trends_check"',
        "change the check that it names",
    ),
    "a foreign key to something else": (
        "create table days (day timestamp primary key);"
        " alter table communication_trends add foreign key (trend_date) references days",
        "violates foreign key constraint",
        "add the row that is referenced",
    ),
}


@pytest.mark.parametrize("case", REFUSED_FOR_ALL)
def test_what_refuses_every_organization_is_a_problem_and_what_refuses_one_is_not(server, database, case):
    make, expected, words = REFUSED_FOR_ALL[case]
    make(database) if callable(make) else database.connection.execute(make)
    # of one organization it cannot be known: its task instance says it
    database.organization("acme")
    assert checked(server, database) == {}
    database.organization("beta")
    ((problem, remedy),) = checked(server, database).items()
    assert expected in problem
    assert problem.startswith("communication_trends: ")
    assert words in remedy


@pytest.mark.parametrize("code", ["P0001", "23514", "23502", "22P05", "0A000", "22003"])
def test_one_organization_that_cannot_be_stored_does_not_keep_the_others_from_it(server, database, code):
    for slug in ("acme", "beta", "gamma"):
        database.organization(slug)
    others = f"new.organization_id <> '{database.organization('gamma')}'"
    database.on_write(f"if {others} then raise 'poisoned' using errcode = '{code}'; end if;")
    assert checked(server, database) == {}


def test_a_check_that_only_refuses_idle_organizations_is_said_and_no_problem(server, database, caplog):
    for slug in ("acme", "beta"):
        database.organization(slug)
    database.connection.execute("alter table communication_trends add check (total_classifications > 0)")
    assert checked(server, database) == {}
    assert "The application refuses trends of organizations without messages" in caplog.text


def test_a_unique_index_of_the_application_that_is_too_narrow_is_a_problem_of_the_dag_that_meets_it(server, database):
    monday = datetime.date(2026, 11, 2)
    for slug in ("acme", "beta"):
        database.insert_trend(slug, monday, total_classifications=1)
    database.connection.execute("create unique index narrow on communication_trends (organization_id, trend_date)")
    assert checked(server, database, period=DAILY.containing(monday)) == {}
    ((problem, remedy),) = checked(server, database, period=WEEKLY.containing(monday)).items()
    assert 'duplicate key value violates unique constraint "narrow"' in problem
    assert "drop that unique index" in remedy


def test_a_partition_that_only_some_organizations_lack_is_no_problem(server, database):
    acme = f"p for values in ('{database.organization('acme')}')"
    database.connection.execute(partitioned("list (organization_id)", acme) + UNIQUE)
    for slug in ("beta", "gamma"):
        database.organization(slug)
    assert checked(server, database) == {}


def test_a_target_without_organizations_is_checked_as_far_as_it_can_be(server, database, role):
    connection = database.connection
    assert checked(server, database) == {}
    # what needs a row cannot be met: none is stored
    connection.execute("alter table communication_trends add region text not null")
    assert checked(server, database) == {}
    with server.connect(database.name, user=role, password="a-password") as session:
        connection.execute(f"revoke update on communication_trends from {role}")
        assert f"grant update on communication_trends to {role} " in next(iter(check(session).values()))
        connection.execute(f"grant update on communication_trends to {role}")
        session.execute("set default_transaction_read_only = on")
        ((problem, remedy),) = check(session).items()
        said = f"communication_trends: {role} can only open read-only transactions (default_transaction_read_only)"
        assert problem == said
        set_off = f"alter role {role} in database {database.name} set default_transaction_read_only = off"
        assert remedy.startswith(set_off)
    connection.execute(f"drop index {OUR_INDEX}")
    ((problem, _),) = checked(server, database).items()
    assert problem.startswith(f"communication_trends: no unique index on ({KEY})")


def test_the_check_leaves_nothing_behind(server, database):
    connection = database.connection
    database.insert_trend("acme", DAY, total_classifications=1)
    database.organization("beta")
    connection.execute("alter table communication_trends add number serial; create table audit (trend uuid)")
    database.on_write("insert into audit values (new.id); notify stored;")
    connection.execute("listen stored")
    before = connection.execute("select * from communication_trends").fetchall()
    for _ in range(4):
        assert checked(server, database) == {}
    assert connection.execute("select * from communication_trends").fetchall() == before
    for table in ("audit", "communication_trends_provenance"):
        assert connection.execute(f"select from {table}").fetchall() == []
    assert list(connection.notifies(timeout=0.1)) == []
    # this is the only trace: PostgreSQL never takes a number back
    number = connection.execute("select last_value from communication_trends_number_seq").fetchone()
    assert number["last_value"] > 1


@pytest.mark.parametrize(
    "lock",
    [
        "lock table communication_trends in share mode",
        "update communication_trends set avg_confidence = 1",
        "update organizations set id = id",
        "delete from organizations",
    ],
)
def test_a_lock_of_another_session_neither_fails_the_check_nor_holds_it_up(server, database, lock, caplog):
    for slug in ("acme", "beta", "gamma"):
        database.insert_trend(slug, DAY, total_classifications=1)
    with psycopg.connect(server.dsn(database.name)) as other:
        other.execute(lock)
        began = time.monotonic()
        assert checked(server, database) == {}
        assert time.monotonic() - began < 5
        other.rollback()
    if "communication_trends" in lock:
        assert "could not be tried now: canceling statement due to lock timeout" in caplog.text


def test_a_lock_on_the_source_hides_no_problem_of_the_target(server, database):
    database.organization("acme")
    database.connection.execute(f"drop index {OUR_INDEX}")
    with psycopg.connect(server.dsn(database.name)) as other:
        other.execute("lock table escalation_alerts")
        ((problem, _),) = checked(server, database).items()
    assert problem.startswith("communication_trends: no unique index")


def test_psycopg2_finds_the_same(server, database):
    psycopg2 = pytest.importorskip("psycopg2")
    connection = database.connection
    for slug in ("acme", "beta"):
        database.organization(slug)

    def problems() -> list[str]:
        with closing(psycopg2.connect(server.dsn(database.name))) as session:
            found = [*check(session)]
        assert found == [*checked(server, database)]
        return found

    assert problems() == []
    database.on_write("raise 'no updates';", when="before update")
    assert "no updates" in problems()[0]
    connection.execute("drop trigger interfere on communication_trends")
    connection.execute("alter table communication_trends add region text not null")
    assert 'null value in column "region"' in problems()[0]
    connection.execute(f"alter table communication_trends drop region; drop index {OUR_INDEX}")
    assert "no unique index" in problems()[0]
    connection.execute(UNIQUE)
    connection.execute(f"alter database {database.name} set default_transaction_read_only = on")
    assert "can only open read-only transactions" in problems()[0]
    assert connection.execute("select from communication_trends").fetchall() == []


# The package's own table


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ("drop table {0}", "{0}: the table does not exist", "apply sql/schema/communication_trends.sql"),
        (
            "alter table {0} drop is_final",
            "{0}.is_final: the column does not exist",
            "add it as in sql/schema/communication_trends.sql",
        ),
        (
            "alter table {0} alter hotspot_rule type json",
            "{0}.hotspot_rule: the column is json, wanted is jsonb",
            "change the type",
        ),
        (
            "alter table {0} alter computed_at type timestamp",
            "{0}.computed_at: the column is timestamp without time zone, wanted is timestamptz",
            "change the type",
        ),
        ("alter table {0} alter messages type real", "{0}.messages: the column is real, wanted is bigint", "change"),
        (
            "alter table {0} drop constraint {0}_pkey",
            "{0}: no unique index on (organization_id, trend_date, trend_period) that ON CONFLICT can use",
            "alter table {0} add primary key (organization_id, trend_date, trend_period)",
        ),
        (
            "alter table {0} add note text not null",
            '{0}: null value in column "note" of relation "{0}" violates not-null constraint [SQLSTATE 23502]',
            "alter table {0} alter note drop not null",
        ),
    ],
)
def test_a_broken_provenance_table_is_named(server, database, change, expected, words):
    name = "communication_trends_provenance"
    database.organization("acme")
    database.connection.execute(change.format(name))
    ((problem, remedy),) = checked(server, database).items()
    assert problem == expected.format(name)
    assert words.format(name) in remedy


def test_a_policy_on_the_provenance_is_named(server, database, role):
    database.organization("acme")
    database.connection.execute("alter table communication_trends_provenance enable row level security")
    with server.connect(database.name, user=role, password="a-password") as session:
        ((problem, _),) = check(session).items()
    assert problem == f"communication_trends_provenance: row-level security hides rows from {role}"


# Types of the columns

WRONG_TYPES = [
    ("organizations", "id", ["bigint", "text"], "uuid"),
    ("organizations", "slug", ["integer", "jsonb", "mood"], "text"),
    ("topic_classifications", "organization_id", ["bigint", "text"], "uuid"),
    ("topic_classifications", "topic", ["jsonb", "text[]", "boolean", "bytea"], "text"),
    ("topic_classifications", "channel_id", ["jsonb", "timestamp without time zone", "double precision"], "text"),
    ("topic_classifications", "confidence", ["text", "double precision", "real", "boolean", "jsonb"], "integer"),
    ("topic_classifications", "sentiment", ["text", "character varying(20)", "text[]"], "jsonb"),
    ("topic_classifications", "created_at", ["date", "text", "bigint", "time without time zone"], "timestamp"),
    ("escalation_alerts", "organization_id", ["bigint", "character varying(36)"], "uuid"),
    ("escalation_alerts", "severity", ["jsonb", "integer[]"], "text"),
    ("escalation_alerts", "created_at", ["date", "text", "double precision"], "timestamp"),
    ("communication_trends", "id", ["bigint", "mood"], "uuid"),
    ("communication_trends", "organization_id", ["text", "bigint"], "uuid"),
    ("communication_trends", "trend_date", ["text", "bigint"], "timestamp"),
    ("communication_trends", "trend_period", ["mood", "integer", "interval"], "text"),
    ("communication_trends", "topic_distribution", ["json", "text"], "jsonb"),
    ("communication_trends", "sentiment_distribution", ["json", "text"], "jsonb"),
    ("communication_trends", "escalation_counts", ["json", "integer"], "jsonb"),
    ("communication_trends", "channel_hotspots", ["json", "jsonb[]"], "jsonb"),
    ("communication_trends", "total_classifications", ["text", "double precision"], "integer"),
    ("communication_trends", "avg_confidence", ["text", "real", "money"], "integer"),
]


@pytest.mark.parametrize(("table", "column", "types", "wanted"), WRONG_TYPES, ids=lambda value: str(value))
def test_a_column_of_a_wrong_type_is_named_with_both_types(server, database, table, column, types, wanted):
    database.connection.execute("create type mood as enum ('daily', 'weekly', 'monthly')")
    for type_ in types:
        change = f"alter table {table} drop {column} cascade; alter table {table} add {column} {type_}"
        database.connection.execute(change)
        problems = checked(server, database)
        expected = f"{table}.{column}: the column is {type_}, wanted is {wanted}"
        assert expected in problems
        # what a view casts cannot be written through it
        a_view_helps = "" if table.startswith("communication") else ", or put a view"
        assert problems[expected].partition(" that casts")[0] == f"change the type of the column{a_view_helps}"


@pytest.mark.parametrize(
    ("column", "type_", "other"),
    [
        ("id", "character varying(35)", None),
        ("trend_period", "character(6)", WEEKLY),
        ("trend_period", "short", DAILY),
    ],
)
def test_a_column_that_is_too_short_for_what_this_dag_stores_is_named(server, database, column, type_, other):
    database.organization("acme")
    database.connection.execute("create domain short as varchar(5)")
    database.connection.execute(
        f"alter table communication_trends alter {column} drop default, alter {column} type {type_}"
    )
    monthly = MONTHLY.containing(DAY)
    ((problem, remedy),) = checked(server, database, period=monthly).items()
    assert "value too long for type character" in problem
    assert "make id and trend_period as wide as in sql/schema/communication_trends.sql" in remedy
    if other:
        assert checked(server, database, period=other.containing(DAY)) == {}
    wide = "uuid using gen_random_uuid()" if column == "id" else "text"
    database.connection.execute(f"alter table communication_trends alter {column} type {wide}")
    assert checked(server, database, period=monthly) == {}


def labels(type_: str) -> list[str]:
    """Return each label with a type, for `alter`."""
    names = ("topic_classifications.topic", "topic_classifications.channel_id", "escalation_alerts.severity")
    return [f"{name} {type_}" for name in names]


def alter(*changes: str):
    """Return what changes the types of columns, each given as ``table.column type``."""

    def change(connection) -> None:
        for name, type_ in (change.split(" ", 1) for change in changes):
            table, column = name.split(".")
            connection.execute(f"alter table {table} alter {column} drop default")
            connection.execute(f"alter table {table} alter {column} type {type_} using {column}::text::{type_}")

    return change


def make_enums(connection) -> None:
    connection.execute(
        "create type topic as enum ('complaint', 'general', 'escalation'); create type channel as enum ('7', '11');"
        " create type severity as enum ('low', 'high', 'critical')"
    )
    alter(
        "topic_classifications.topic topic",
        "topic_classifications.channel_id channel",
        "escalation_alerts.severity severity",
    )(connection)


def make_domains(connection) -> None:
    connection.execute(
        "create domain label as text check (value <> ''); create domain topic as label not null;"
        " create domain percent as integer check (value between 0 and 100); create domain tone as jsonb;"
        " create domain utc as timestamp; create domain key as uuid"
    )
    alter(
        "topic_classifications.topic topic",
        "topic_classifications.channel_id label",
        "topic_classifications.confidence percent",
        "topic_classifications.sentiment tone",
        "topic_classifications.created_at utc",
        "topic_classifications.organization_id key",
        "escalation_alerts.severity label",
        "communication_trends.avg_confidence percent",
        "communication_trends.trend_date utc",
        "communication_trends.trend_period label",
        "communication_trends.topic_distribution tone",
    )(connection)


def make_citext(connection) -> None:
    if not connection.execute("select from pg_available_extensions where name = 'citext'").fetchall():
        pytest.skip("this PostgreSQL comes without citext")
    connection.execute("create extension citext")
    alter(*labels("citext"), "organizations.slug citext", "communication_trends.trend_period citext")(connection)


def make_moments(connection) -> None:
    connection.execute(f"alter database {connection.info.dbname} set timezone = 'Pacific/Kiritimati'")
    for table, column in (
        ("topic_classifications", "created_at"),
        ("escalation_alerts", "created_at"),
        ("organizations", "created_at"),
        ("communication_trends", "trend_date"),
    ):
        connection.execute(f"alter table {table} alter {column} type timestamptz using {column} at time zone 'UTC'")


RIGHT_TYPES = {
    "enums": make_enums,
    "domains": make_domains,
    "citext": make_citext,
    "varchar": alter(
        *labels("varchar(40)"), "organizations.slug varchar(20)", "communication_trends.trend_period varchar(7)"
    ),
    "char": alter(
        *labels("char(12)"), "communication_trends.trend_period char(10)", "communication_trends.id char(36)"
    ),
    "numbers": alter(
        "topic_classifications.channel_id bigint",
        "topic_classifications.confidence numeric(5,2)",
        "communication_trends.total_classifications numeric",
        "communication_trends.avg_confidence smallint",
    ),
    "other numbers": alter(
        "topic_classifications.channel_id numeric(12)",
        "topic_classifications.confidence smallint",
        "communication_trends.total_classifications bigint",
        "communication_trends.avg_confidence numeric(5,2)",
    ),
    "json": alter("topic_classifications.sentiment json", "topic_classifications.confidence bigint"),
    "timestamptz": make_moments,
    "a date": alter("communication_trends.trend_date date"),
    "text ids": alter("communication_trends.id text"),
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.extensions) if case == "citext" else case for case in RIGHT_TYPES],
)
def test_other_types_that_mean_the_same_make_the_same_trends(server, database, run_dag, case):
    for minute, (topic, channel, confidence) in enumerate(
        [("complaint", "7", 29), ("escalation", "7", 30), ("general", "11", None)] * 6
    ):
        database.classify(
            "acme",
            topic=topic,
            channel=channel,
            confidence=confidence,
            sentiment={"tone": "angry"} if minute % 2 else None,
            at=f"2026-11-01 {'00' if minute % 3 else '23'}:{minute:02}",
        )
    database.classify("acme", at="2026-10-31 23:59:59.999", channel="11")
    database.classify("acme", at="2026-11-02", channel="11")
    database.escalate("acme", "high", count=2)
    database.escalate("acme", "critical", at="2026-11-01 23:59:59")
    expected = {
        "topic_distribution": {"complaint": 6, "escalation": 6, "general": 6},
        "sentiment_distribution": {"angry": 9},
        "escalation_counts": {"high": 2, "critical": 1},
        "channel_hotspots": [{"channelId": "7", "riskScore": 100, "messageCount": 12}],
        "total_classifications": 18,
        "avg_confidence": 30,  # of 29.5
    }
    RIGHT_TYPES[case](database.connection)
    assert checked(server, database) == {}
    summaries = []
    for conf in (NOV_1, NOV_1, {**NOV_1, "organizations": ["acme"], "force": True}):
        run = run_dag(conf)
        assert run.state == "success", run.log
        summaries.append(run.summary)
        ((stored,),) = [list(database.connection.execute("select * from communication_trends").fetchall())]
        assert {name: stored[name] for name in expected} == expected
        assert str(stored["trend_period"]).strip() == "daily"
    assert [summary["trendsCreated"] for summary in summaries] == [1, 1, 1]
