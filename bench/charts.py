"""Draws docs/growth.svg from bench/results.json; run by ``make bench``, in the environment that has matplotlib."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "growth"  # the same file for the same values

from matplotlib import pyplot  # noqa: E402

ROOT = Path(__file__).parents[1]


def points(results: list[dict[str, object]], pattern: str, value: str = "ours") -> tuple[list[float], list[float]]:
    """Return the number in each matching name, and what was measured, in the order of the numbers."""
    found = [(match, result) for result in results if (match := re.fullmatch(pattern, str(result["name"])))]
    pairs = sorted((float(match[1].replace(",", "")), float(str(result[value]))) for match, result in found)
    return [x for x, _ in pairs], [y for _, y in pairs]


def main() -> None:
    """Draw the three charts."""
    results = json.loads((ROOT / "bench" / "results.json").read_text(encoding="utf-8"))
    figure, (organizations, rows, age) = pyplot.subplots(1, 3, figsize=(13, 3.8), layout="constrained")

    counts, each = points(results, r"growth: ([\d,]+) organizations, time of each")
    organizations.plot(counts, each, "o-")
    organizations.set(
        title="Time of an organization in a run", xlabel="organizations", ylabel="ms", xscale="log", yscale="log"
    )
    organizations.annotate(
        "batches by themselves\nabove 1,024", (counts[-1], each[-1]), (-165, 8), textcoords="offset points"
    )

    for indexes, style in (("without", "--"), ("with", "-")):
        for value, name, color in (("ours", "the package", "C0"), ("reference", "five queries", "C7")):
            x, y = points(results, rf"growth: ([\d,]+) rows of a day, {indexes} the optional indexes", value)
            huge = rf"(1,000,000) rows, {indexes} the optional indexes, against the five queries"
            x_huge, y_huge = points(results, huge, value)
            rows.plot(x + x_huge, y + y_huge, style, marker="o", color=color, label=f"{name}, {indexes} indexes")
    rows.set(title="Rows of the day", xlabel="rows", ylabel="ms", xscale="log", yscale="log")
    rows.legend(fontsize="small")

    for value, name, color in (("ours", "the package", "C0"), ("reference", "five queries", "C7")):
        x, y = points(results, r"growth: table of ([\d,]+) days", value)
        age.plot(x, y, "o-", color=color, label=name)
    age.set(title="Age of the table, 100 rows a day", xlabel="days of history", ylabel="ms", ylim=(0, None))
    age.legend(fontsize="small")

    path = ROOT / "docs" / "growth.svg"
    figure.savefig(path, metadata={"Date": None})
    print(f"drew {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
