"""The parts of the page that need no browser: tests/web/page/*.test.js, run by node."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from communication_trends import web
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY

KINDS = (DAILY, WEEKLY, MONTHLY)

NODE = shutil.which("node") or ""


@pytest.mark.skipif(not NODE, reason="no node on this machine: the page's parts are tested only in the browser")
def test_the_parts_of_the_page():
    files = sorted(Path(__file__).parent.glob("page/*.test.js"))
    assert files
    run = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.skipif(not NODE, reason="no node on this machine")
def test_the_page_knows_what_is_due_as_the_dag_does():
    moments = [
        datetime.datetime(2026, 2, 27, tzinfo=datetime.timezone.utc) + datetime.timedelta(minutes=step * 1037)
        for step in range(800)
    ]
    delays = {kind.name: kind.run_delay.total_seconds() for kind in KINDS}
    module = Path(web.__file__).parent / "static" / "periods.js"
    script = (
        f"import {{ lastDue }} from {json.dumps(module.as_uri())};"
        f"const delays = {json.dumps(delays)}, moments = {json.dumps([str(moment) for moment in moments])};"
        "console.log(JSON.stringify(moments.map((moment) => Object.entries(delays)"
        ".map(([kind, delay]) => lastDue(kind, Date.parse(moment), delay)))));"
    )
    run = subprocess.run(
        [NODE, "--input-type=module", "--eval", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(run.stdout) == [[str(kind.last_due(moment).first_date) for kind in KINDS] for moment in moments]
