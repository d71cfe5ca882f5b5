"""The measurements, separate from the tests."""

import sys
from pathlib import Path

# the package is where Airflow finds it, not among the installed ones
sys.path.insert(0, str(Path(__file__).parents[1] / "plugins"))
