"""
What the package costs, as ratios measured side by side in one run.

Usage: ``python -m bench [--quick] [SECTION …]``. Prints one table, and writes what it measured in full to
bench/results.json. Three sections are measured only when they are named: ``many`` is 100,000 organizations, ``pooler``
an organization to a task instance through PgBouncer, ``inserts`` what the application notices of a run.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench import inserts, runs, statement
from bench.report import Report, say
from local.servers import postgres

RUNS = ("runs", "range", "lookback", "batches", "broken")
SECTIONS = ("sql", *RUNS)
NAMED = ("many", "pooler", "inserts")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same with less data, under three minutes")
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS + NAMED))
    arguments = parser.parse_args()
    sections = arguments.sections or SECTIONS
    if unknown := set(sections) - {*SECTIONS, *NAMED}:
        parser.error(f"unknown section {', '.join(sorted(unknown))}. Sections: {', '.join(SECTIONS + NAMED)}.")
    quick = arguments.quick
    report = Report()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        with postgres(home) as server:
            with server.connect("postgres") as connection:
                report.versions["postgresql"] = connection.info.parameter_status("server_version") or ""
            if "sql" in sections:
                report.section = "sql"
                statement.measure_all(server, report, quick=quick)
            if {*RUNS, "many"} & set(sections):
                runs.measure(home, server, report, sections, quick=quick)
            if "pooler" in sections:
                report.section = "pooler"
                runs.measure_pooled(home, server, report, quick=quick)
        if "inserts" in sections:
            report.section = "inserts"
            inserts.measure(home, report, quick=quick)
    report.print()
    if not quick:
        report.write(statement.HERE / "results.json")
        say("wrote bench/results.json")


if __name__ == "__main__":
    main()
