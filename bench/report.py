"""What the measurements print while they run, and the results that they leave behind."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
started = time.monotonic()


def say(text: str) -> None:
    """Print what happens now."""
    console.print(f"[dim]{time.monotonic() - started:6.1f} s[/dim]  {text}")


class Report:
    """Results in the order they come."""

    def __init__(self) -> None:
        self.results: list[dict[str, Any]] = []
        self.versions = {"python": platform.python_version(), "airflow": importlib.metadata.version("apache-airflow")}
        self.section = ""

    def add(self, name: str, ours: Sequence[float], reference: Sequence[float] = (), unit: str = "ms") -> float:
        """
        Add a comparison, or a value that is compared with nothing.

        :param name: what was measured, against what.
        :param ours: what was measured, once or several times.
        :param reference: the same of what it is compared with; ours where there is nothing.
        :param unit: of both.
        :returns: reference / ours, of the medians, for rates ours / reference: above 1, ours is better.
        """
        mine = statistics.median(ours)
        other = statistics.median(reference) if reference else None
        ratio = 0.0 if other is None else round(mine / other if unit == "1/s" else other / mine, 3)
        result = {
            "section": self.section,
            "name": name,
            "ours": round(mine, 3),
            "reference": None if other is None else round(other, 3),
            "ratio": ratio or None,
            "unit": unit,
            "spread": [round(min(ours), 3), round(max(ours), 3)],
            "versions": self.versions,
        }
        self.results.append(result)
        values = f"{mine:.4g} {unit}" + (f", reference {other:.4g}, ratio {ratio}" if other else "")
        say(f"[bold]{name}[/bold]: {values}")
        return ratio

    def print(self) -> None:
        """Print one table of all results."""
        title = "ratio = reference / ours, for rates ours / reference: above 1, ours is better"
        table = Table(title=title, title_justify="left")
        for heading in ("what", "ours", "reference", "unit", "ratio", "spread of ours"):
            table.add_column(heading, justify="left" if heading in ("what", "unit") else "right")
        for result in self.results:
            low, high = result["spread"]
            table.add_row(
                result["name"],
                f"{result['ours']:g}",
                "" if result["reference"] is None else f"{result['reference']:g}",
                result["unit"],
                "" if result["ratio"] is None else f"{result['ratio']:.2f}",
                f"{low:g} – {high:g}",
            )
        console.print(table)

    def write(self, path: Path) -> None:
        """Write the results as JSON, one a line; those of sections that were not measured are unchanged."""
        measured = {result["section"] for result in self.results}
        others = [
            result for result in json.loads(path.read_text(encoding="utf-8")) if result["section"] not in measured
        ]
        lines = [json.dumps(result, ensure_ascii=False) for result in others + self.results]
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
