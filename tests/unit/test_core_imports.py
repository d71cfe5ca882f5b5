"""What is in ``core/`` needs no Airflow, and what a run does needs nothing of the page."""

from __future__ import annotations

import json
import subprocess
import sys

from local import ROOT

PACKAGE = ROOT / "plugins" / "communication_trends"
MODULES = sorted(path.stem for path in (PACKAGE / "core").glob("[a-z]*.py"))

IMPORTED_ALONE = """
import importlib, json, multiprocessing, sys
# imported once, for all of the processes: none of it is the package's
import psycopg

def imported(module):
    importlib.import_module("communication_trends.core." + module)
    return [name for name in sys.modules if name.partition(".")[0] == "airflow"]

modules = sys.argv[1:]
with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
    found = pool.map(imported, modules, chunksize=1)
# after the last fork, so that no process has it in its buffer as well
print(json.dumps(dict(zip(modules, found))))
"""


def test_each_module_of_the_core_is_imported_alone_without_airflow():
    run = subprocess.run(
        [sys.executable, "-c", IMPORTED_ALONE, *MODULES],
        env={"PYTHONPATH": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "aggregation" in MODULES
    assert json.loads(run.stdout) == {module: [] for module in MODULES}


def test_only_the_page_and_the_check_name_statements_of_the_page():
    naming = [path for path in PACKAGE.rglob("*.py") if '"web/' in path.read_text(encoding="utf-8")]
    assert {str(path.relative_to(PACKAGE).parent / path.stem) for path in naming} >= {"web/reply", "check"}
    assert [path.name for path in naming if path.relative_to(PACKAGE).parts[0] not in ("web", "check.py")] == []
