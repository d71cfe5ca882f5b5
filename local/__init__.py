"""A PostgreSQL and an Airflow on this machine, on loopback only: for the demo, the tests and the benchmarks."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The folder of the repository."""
