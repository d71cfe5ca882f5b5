"""The parts of the page that need no browser: tests/web/page/*.test.js, run by node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node") or ""


@pytest.mark.skipif(not NODE, reason="no node on this machine: the page's parts are tested only in the browser")
def test_the_parts_of_the_page():
    files = sorted(Path(__file__).parent.glob("page/*.test.js"))
    assert files
    run = subprocess.run([NODE, "--test", *files], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
