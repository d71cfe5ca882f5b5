"""What is in ``core/`` needs no Airflow."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local import ROOT

MODULES = sorted(path.stem for path in (ROOT / "plugins" / "communication_trends" / "core").glob("[a-z]*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_of_the_core_is_imported_without_airflow(module):
    script = (
        f"import sys, communication_trends.core.{module}\n"
        "print([name for name in sys.modules if name.partition('.')[0] == 'airflow'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT / "plugins")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
