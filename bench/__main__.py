"""
What the package costs, as ratios measured side by side in one run.

Usage: ``python -m bench [--quick] [SECTION …]``; sections are ``sql``, ``runs``, ``batches``, ``range``,
``lookback``; and, only when they are named, ``month``, which needs 9 GB, and ``many``, 100,000 organizations. Prints
one table; writes bench/results.json when it measured all but these in full.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import statement
from bench.report import Report, say
from local.servers import Server, postgres

SECTIONS = ("sql", "runs", "batches", "range", "lookback")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same with less data, under three minutes")
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS))
    arguments = parser.parse_args()
    sections = arguments.sections or SECTIONS
    if unknown := set(sections) - {*SECTIONS, "month", "many"}:
        parser.error(f"unknown section {', '.join(sorted(unknown))}. Sections: {', '.join(SECTIONS)}, month, many.")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with postgres(home) as server:
            if "sql" in sections:
                _sql(server, report, quick=arguments.quick)
            if {"runs", "batches", "range", "lookback"} & set(sections):
                from bench import runs

                runs.measure(home, server, report, sections, quick=arguments.quick)
            if "month" in sections:
                from bench import month

                month.measure(server, report, quick=arguments.quick)
            if "many" in sections:
                from bench import many

                many.measure(home, server, report, quick=arguments.quick)
    report.print()
    if not arguments.quick and not arguments.sections:
        report.write(statement.HERE / "results.json")
        say("wrote bench/results.json")


def _sql(server: Server, report: Report, *, quick: bool) -> None:
    statement.one_organization_day(server, report, quick=quick)
    server.drop_database("statement")
    statement.writer(server, report, quick=quick)
    server.drop_database("writer")
    if not quick:
        statement.age(server, report)
        server.drop_database("age")


if __name__ == "__main__":
    main()
