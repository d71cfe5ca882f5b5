"""The SQL: one organization-day, the optional indexes, what they cost the writer, a growing table."""

from __future__ import annotations

import datetime
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.report import Report, say
from local import ROOT
from local.servers import Server, apply_schema

HERE = Path(__file__).parent


def bounds(start: str, end: str) -> dict[str, Any]:
    """Return a period as the parameters of the package's statement and of those it is compared with; both UTC."""
    return {"day_start": start, "day_end": end, "period_starts": [start], "period_ends": [end]}


PARAMETERS: dict[str, Any] = {
    **bounds("2026-11-01", "2026-11-02"),
    "hotspot_topics": ["complaint", "escalation"],
    "hotspot_min_messages": 10,
    "hotspot_min_ratio": "0.3",
}
SMALL, LARGE, HUGE = 700, 20_000, 1_000_000

Connection = psycopg.Connection[Any]


def read(path: Path) -> str:
    """Return a file's text."""
    return path.read_text(encoding="utf-8")


def open_database(server: Server, name: str) -> Connection:
    """
    Make a database with the application's tables and the trends, and connect to it.

    :param server: where.
    :param name: its name.
    """
    server.create_database(name)
    connection = server.connect(name)
    # each statement is planned again, as in a task instance, which runs it once
    connection.prepare_threshold = None
    apply_schema(connection, "source_tables.sql", "communication_trends.sql")
    return connection


def fill(connection: Connection, sizes: dict[str, int], days: int = 1, last_day: str = "2026-11-01") -> None:
    """
    Add messages, their rows between each other's on disk, as an application writes them.

    :param connection: to the database.
    :param sizes: messages a day by slug; organizations are made as needed.
    :param days: how many.
    :param last_day: the last of them, UTC.
    """
    slugs = list(sizes)
    connection.execute(
        "insert into organizations (name, slug) select slug, slug from unnest(%s::text[]) as slug"
        " on conflict do nothing",
        [slugs],
    )
    rows = {"slugs": slugs, "per_days": list(sizes.values()), "days": days, "last_day": last_day}
    connection.execute(read(HERE / "sql" / "rows.sql"), rows)  # type: ignore[call-overload]


def without_indexes(connection: Connection) -> None:
    """Drop the application's own indexes while rows are added; `apply_schema` makes them again."""
    names = "select indexname from pg_indexes where tablename = 'topic_classifications' and indexname like '%\\_idx'"
    for (name,) in connection.execute(names).fetchall():
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))


def make_optional_indexes(connection: Connection) -> None:
    """Apply sql/schema/indexes.sql."""
    for statement in read(ROOT / "sql" / "schema" / "indexes.sql").split(";"):
        if "create" in statement:
            connection.execute(statement)  # type: ignore[call-overload]
    connection.execute("vacuum analyze")


def ids(connection: Connection) -> dict[str, str]:
    """Return the id of each organization by its slug."""
    return dict(connection.execute("select slug, id::text from organizations").fetchall())


def timed(connection: Connection, statements: Sequence[str], parameters: dict[str, Any]) -> float:
    """Return the milliseconds that statements take, one after the other, in one transaction."""
    with connection.transaction():
        # the package's with what it sets; the others run as PostgreSQL comes
        connection.execute(SESSION if statements is OURS else "set local timezone = 'UTC'", SESSION_PARAMETERS)  # type: ignore[call-overload]
        before = time.perf_counter()
        for statement in statements:
            connection.execute(statement, parameters).fetchall()  # type: ignore[call-overload]
        return (time.perf_counter() - before) * 1000


SESSION = read(ROOT / "sql" / "transaction_settings.sql")
SESSION_PARAMETERS = {
    "read_only": False,
    "aggregating": True,
    "statement_timeout": "300s",
    "lock_timeout": "60s",
    "idle_timeout": "60s",
}
OURS = [read(ROOT / "sql" / "aggregate_trends.sql")]
FIVE = [part for part in read(HERE / "sql" / "five_queries.sql").split(";") if part.strip()]
COUNT = [read(HERE / "sql" / "count.sql")]
WAYS = {"ours": OURS, "five": FIVE, "count": COUNT}


def measure(
    connection: Connection,
    organizations: Sequence[str],
    tries: int,
    period: dict[str, Any] | None = None,
) -> dict[str, list[float]]:
    """
    Measure the ways interleaved, so that a busy moment affects all of them.

    :param connection: to the database.
    :param organizations: ids, taken one after the other.
    :param tries: how often.
    :param period: another one than the day, from `bounds`.
    :returns: milliseconds by way.
    """
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    order = list(WAYS)
    following = itertools.cycle(organizations)
    for attempt in range(tries + 1):
        for name in order:
            # the next organization for each way: none finds the pages warm that another one has read before it
            organization = next(following)
            parameters = {
                **PARAMETERS,
                **(period or {}),
                "organization_id": organization,
                "organization_ids": [organization],
            }
            milliseconds = timed(connection, WAYS[name], parameters)
            if attempt:  # the first one warms up
                taken[name].append(milliseconds)
        order = order[1:] + order[:1]
    return taken


def measure_all(server: Server, report: Report, *, quick: bool) -> None:
    """
    Measure the statement, the optional indexes and, not if quick, a growing table.

    :param server: where databases are made for it.
    :param report: what takes the results.
    :param quick: less data.
    """
    for part, database in ((one_organization_day, "statement"), (writer, "writer"), (age, "age")):
        if part is not age or not quick:
            part(server, report, quick=quick)
            server.drop_database(database)


def one_organization_day(server: Server, report: Report, *, quick: bool) -> None:
    """
    Measure one organization-day of three sizes, without and with the optional indexes.

    :param server: where.
    :param report: what takes the results.
    :param quick: without the largest organization.
    """
    with open_database(server, "statement") as connection:
        without_indexes(connection)
        connection.execute("alter table topic_classifications drop constraint topic_classifications_suggestion_id_key")
        tenants = 500 if quick else 1500
        fill(connection, {**{f"small-{number}": SMALL for number in range(tenants)}, "large": LARGE})
        if not quick:
            fill(connection, {"huge": HUGE})
        connection.execute(
            "insert into escalation_alerts (organization_id, severity, created_at)"
            " select organization_id, 'high', created_at from topic_classifications where random() < 0.01"
        )
        connection.execute("create unique index on topic_classifications (suggestion_id)")
        apply_schema(connection, "source_tables.sql")
        connection.execute("vacuum analyze")
        say(f"{tenants} organizations of {SMALL} messages, one of {LARGE:,}" + ("" if quick else f", one of {HUGE:,}"))
        by_slug = ids(connection)
        # more than are measured: each is read once, as in a nightly run
        small = itertools.cycle([id_ for slug, id_ in by_slug.items() if slug.startswith("small")])
        tries = {SMALL: 60, LARGE: 9} if quick else {SMALL: 150, LARGE: 15, HUGE: 3}
        plain: dict[int, list[float]] = {}
        for indexes in ("without", "with"):
            if indexes == "with":
                make_optional_indexes(connection)
                _report_sizes(connection, report)
            for size, times in tries.items():
                slug = {LARGE: "large", HUGE: "huge"}.get(size)
                organizations = [by_slug[slug]] if slug else list(itertools.islice(small, len(WAYS) * (times + 1)))
                taken = measure(connection, organizations, times)
                label = f"{size:,} rows, {indexes} the optional indexes"
                report.add(f"{label}, against the five queries", taken["ours"], taken["five"])
                report.add(f"{label}, against count(*)", taken["ours"], taken["count"])
                plain.setdefault(size, taken["five"])
                if indexes == "with":
                    report.add(f"{label}, against the five queries without them", taken["ours"], plain[size])
            if not quick:
                _rows_of_a_day(connection, report, by_slug["huge"], indexes)


def _report_sizes(connection: Connection, report: Report) -> None:
    sizes = connection.execute(
        "select relname, pg_relation_size(oid) / 1e6 from pg_class"
        " where relname ~ '_trends_idx$' or relname = 'topic_classifications' order by relname"
    ).fetchall()
    for name, megabytes in sizes:
        report.add(f"size of {name}", [float(megabytes)], unit="MB")


def _rows_of_a_day(connection: Connection, report: Report, organization: str, indexes: str) -> None:
    """Measure windows of the largest organization's day that hold so many rows."""
    for rows in (100, 1_000, 10_000, 100_000):
        end = datetime.datetime.fromisoformat(PARAMETERS["day_start"]) + datetime.timedelta(days=rows / HUGE)
        taken = measure(connection, [organization], 7, bounds(PARAMETERS["day_start"], end.isoformat()))
        report.add(f"growth: {rows:,} rows of a day, {indexes} the optional indexes", taken["ours"], taken["five"])


def writer(server: Server, report: Report, *, quick: bool) -> None:
    """
    Measure what the optional indexes cost the application that inserts messages.

    :param server: where.
    :param report: what takes the results.
    :param quick: fewer rows.
    """
    rows, rounds = (20_000, 3) if quick else (50_000, 5)
    with open_database(server, "writer") as connection:
        sizes = {f"small-{number}": 200 for number in range(rows // 200)}
        fill(connection, sizes)
        connection.execute("create table new_rows as table topic_classifications")
        taken: dict[bool, list[float]] = {False: [], True: []}
        insert = read(HERE / "sql" / "insert_again.sql")
        for _ in range(rounds):
            for indexed in (False, True):
                if indexed:
                    make_optional_indexes(connection)
                before = time.perf_counter()
                connection.execute(insert)  # type: ignore[call-overload]
                taken[indexed].append(rows / (time.perf_counter() - before))
                connection.execute("drop index if exists topic_classifications_trends_idx")
        report.add(
            "rows inserted a second, with the optional indexes against without", taken[True], taken[False], "1/s"
        )


def age(server: Server, report: Report, *, quick: bool) -> None:
    """
    Measure one organization-day in a table that grows older.

    :param server: where.
    :param report: what takes the results.
    :param quick: not measured.
    """
    with open_database(server, "age") as connection:
        sizes = {f"small-{number}": 100 for number in range(20)}
        first = "2026-11-01"
        for days, last in ((30, first), (180, "2026-10-02"), (720, "2026-05-05")):
            before = {30: 0, 180: 30, 720: 180}[days]
            fill(connection, sizes, days=days - before, last_day=last)
            connection.execute("vacuum analyze")
            taken = measure(connection, list(ids(connection).values()), 60)
            report.add(f"growth: table of {days} days", taken["ours"], taken["five"])
