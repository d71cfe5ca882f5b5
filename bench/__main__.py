"""
What the SQL costs, as ratios measured side by side in one run.

Usage: ``python -m bench [--quick]``. Prints one table and writes bench/results.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from demo.stack import ROOT, apply_schema, postgres

HERE = Path(__file__).parent
PARAMETERS = {
    "day_start": "2026-11-01",
    "day_end": "2026-11-02",
    "hotspot_topics": ["complaint", "escalation"],
    "hotspot_min_messages": 10,
    "hotspot_min_ratio": "0.3",
}
console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
started = time.monotonic()


def say(text: str) -> None:
    """Tell what happens now."""
    console.print(f"[dim]{time.monotonic() - started:6.1f} s[/dim]  {text}")


def read(path: Path) -> str:
    """Return a file's text."""
    return path.read_text(encoding="utf-8")


def fill(connection: psycopg.Connection[Any], sizes: dict[str, int]) -> None:
    """
    Make organizations with that many messages a day, and an alert for each hundredth message.

    :param connection: to an empty database.
    :param sizes: messages a day by slug.
    """
    apply_schema(connection, "source_tables.sql", "communication_trends.sql")
    names = "select indexname from pg_indexes where tablename = 'topic_classifications' and indexname like '%\\_idx'"
    indexes = connection.execute(names).fetchall()
    for (name,) in indexes:
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    connection.execute("alter table topic_classifications drop constraint topic_classifications_suggestion_id_key")
    # twenty small organizations beside the large one, their rows between each other's on disk
    plan = [*((f"small-{number}", sizes["small"]) for number in range(19)), *sizes.items()]
    connection.cursor().executemany("insert into organizations (name, slug) values (%s, %s)", [(s, s) for s, _ in plan])
    for days, some in [
        (30, [size for size in plan if size[1] <= 100_000]),
        (2, [size for size in plan if size[1] > 100_000]),
    ]:
        if some:
            rows = {"slugs": [slug for slug, _ in some], "per_days": [size for _, size in some], "days": days}
            connection.execute(read(HERE / "sql" / "rows.sql"), rows)  # type: ignore[call-overload]
            say(f"{sum(size for _, size in some):,} messages a day of {len(some)} organizations, {days} days")
    connection.execute(
        "insert into escalation_alerts (organization_id, severity, created_at)"
        " select organization_id, 'high', created_at from topic_classifications where random() < 0.01"
    )
    connection.execute("create unique index on topic_classifications (suggestion_id)")
    apply_schema(connection, "source_tables.sql")
    connection.execute("vacuum analyze")
    say("indexed and vacuumed")


def timed(connection: psycopg.Connection[Any], statements: list[str], parameters: dict[str, Any], jit: str) -> float:
    """Return the milliseconds that statements take, one after the other, in one transaction."""
    with connection.transaction():
        connection.execute("select set_config('jit', %s, true)", [jit])
        before = time.perf_counter()
        for statement in statements:
            connection.execute(statement, parameters).fetchall()  # type: ignore[call-overload]
        return (time.perf_counter() - before) * 1000


def measure(connection: psycopg.Connection[Any], slug: str, tries: int) -> dict[str, list[float]]:
    """Return the milliseconds of each way, by name, taken in turns so that a busy moment meets all of them."""
    row = connection.execute("select id::text from organizations where slug = %s", [slug]).fetchone()
    assert row
    parameters = {**PARAMETERS, "organization_id": row[0], "organization_ids": [row[0]]}
    five = [part for part in read(HERE / "sql" / "five_queries.sql").split(";") if part.strip()]
    count = [read(ROOT / "sql" / "count_classifications.sql")]
    ours = [read(ROOT / "sql" / "aggregate_trends.sql")]
    # the package turns just-in-time compilation off (sql/session.sql); the others run as PostgreSQL comes
    ways: dict[str, Callable[[], float]] = {
        "ours": lambda: timed(connection, ours, parameters, "off"),
        "five queries": lambda: timed(connection, five, parameters, "on"),
        "count": lambda: timed(connection, count, parameters, "on"),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for attempt in range(tries + 1):
        for name, way in ways.items():
            milliseconds = way()
            if attempt:  # the first one warms up
                taken[name].append(milliseconds)
    return taken


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the organization of a million messages a day")
    quick = parser.parse_args().quick
    sizes = {"small": 700, "large": 20_000, **({} if quick else {"huge": 1_000_000})}
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)
        with postgres(Path(folder)) as server:
            server.create_database("bench")
            with server.connect("bench") as connection:
                versions = {"postgresql": connection.info.parameter_status("server_version"), "python": sys.version[:6]}
                fill(connection, sizes)
                plain: dict[str, float] = {}
                for indexes in (False, True):
                    if indexes:
                        say("making the optional indexes")
                        for statement in read(ROOT / "sql" / "schema" / "indexes.sql").split(";"):
                            if statement.strip():
                                connection.execute(statement)  # type: ignore[call-overload]
                        connection.execute("vacuum analyze")
                    for slug, per_day in sizes.items():
                        taken = measure(connection, slug, 3 if per_day > 100_000 else 15)
                        medians = {name: statistics.median(values) for name, values in taken.items()}
                        plain.setdefault(slug, medians["five queries"])
                        label = f"{per_day:,} rows, {'with' if indexes else 'without'} the optional indexes"
                        references = {"five queries": medians["five queries"], "count": medians["count"]}
                        if indexes:
                            references["five queries without them"] = plain[slug]
                        for name, reference in references.items():
                            results.append(
                                {
                                    "name": f"{label}, against {name}",
                                    "ours": round(medians["ours"], 3),
                                    "reference": round(reference, 3),
                                    "ratio": round(reference / medians["ours"], 2)
                                    if name.startswith("five")
                                    else round(medians["ours"] / reference, 2),
                                    "unit": "ms",
                                    "spread": [round(min(taken["ours"]), 3), round(max(taken["ours"]), 3)],
                                    "versions": versions,
                                }
                            )
                        say(f"measured {label}")
                sizes_of_indexes = connection.execute(
                    "select relname, pg_size_pretty(pg_relation_size(oid)) from pg_class"
                    " where relname like '%\\_trends_idx' or relname = 'topic_classifications' order by relname"
                ).fetchall()
    table = Table(title="one organization-day", title_justify="left")
    for heading in ("what", "ours, ms", "reference, ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for result in results:
        kind = "× slower" if "against count" in result["name"] else "× faster"
        table.add_row(result["name"], f"{result['ours']}", f"{result['reference']}", f"{result['ratio']}{kind}")
    console.print(table)
    for name, size in sizes_of_indexes:
        console.print(f"{name}: {size}")
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
