"""The answers as CSV, for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from communication_trends.web.models.comparison import Comparison
from communication_trends.web.models.organizations import Organization
from communication_trends.web.models.topic_changes import Sides, TopicChanges
from communication_trends.web.models.trends import AllTrendDay, ChangedPeriod, Changing, TrendDay

FORMULA = re.compile(r"""(^|[;,|\t\r\n"'])(?=[^\S\t\r\n]*[=+\-@＝＋－＠]|[\t\r\n])""")
"""
Where a spreadsheet could see a formula begin: at the start of a text, and after whatever it may split fields at.

Each tab and line break is a separate beginning, so that nothing is looked at twice.

Quotes do not help: one with a semicolon as its list separator splits ``"a","x;=1+1"`` within the second field.
"""


def csv_text(columns: Iterable[str], entries: Iterable[Mapping[str, Any]]) -> str:
    """
    Return a table as CSV: every field quoted, none a formula.

    :param columns: headers, which are the entries' keys.
    :param entries: one mapping per row; what it lacks is an empty field.
    """
    columns = list(columns)
    output = io.StringIO()
    writer = csv.writer(output, quoting=csv.QUOTE_ALL)
    writer.writerow([_cell(column) for column in columns])
    writer.writerows([_cell(entry.get(column)) for column in columns] for entry in entries)
    # with a byte order mark, or Excel takes UTF-8 for something else
    return "\ufeff" + output.getvalue()


def table_of(model: type[BaseModel], entries: Iterable[BaseModel], *, without: Iterable[str] = ()) -> str:
    """
    Return entries as CSV, one column per field; an organization has three.

    :param model: what each entry is.
    :param entries: the rows.
    :param without: fields to leave out.
    """
    without = set(without)
    columns = []
    for name in model.model_fields:
        if name == "organization":
            columns += [_organization_column(part) for part in Organization.model_fields]
        elif name not in without:
            columns.append(to_camel(name))
    return csv_text(
        columns, (_flat(entry.model_dump(mode="json", by_alias=True, exclude=without)) for entry in entries)
    )


def trends_table(days: Iterable[TrendDay]) -> str:
    """Return trends as CSV: a column per topic, tone and severity; 0 where a period had none, empty without a trend."""
    days = list(days)
    groups = {"topics": "topic", "tones": "tone", "escalations": "severity"}
    columns = ["date", "state", "missing", "unreadable", "totalClassifications", "avgConfidence", "hotspotCount"]
    columns += ["whole", "riskScore", "riskyClassifications", "escalationsTotal", "messagesWithTone"]
    columns += ["confidenceSum", "classificationsWithConfidence"]
    if days and isinstance(days[0], AllTrendDay):
        states = ("Expected", "Stored", "NotFinal", "Missing", "Unreadable")
        columns += [f"organizations{state}" for state in states]
    else:
        columns += ["isFinal", "computedAt"]
    named = []
    for field, prefix in groups.items():
        names = {name for day in days for name in (getattr(day, field) or {})}
        named += [f"{prefix}:{name}" for name in sorted(names)]
    entries = []
    for day in days:
        entry = day.model_dump(mode="json", by_alias=True)
        if day.topics is not None:
            entry.update(dict.fromkeys(named, 0))
        for field, prefix in groups.items():
            entry.update({f"{prefix}:{name}": count for name, count in (getattr(day, field) or {}).items()})
        entries.append(entry)
    return csv_text(columns + named, entries)


def changes_table(found: Changing) -> str:
    """Return which periods have changed as CSV, one row each; each says up to when."""
    entry = found.model_dump(mode="json", by_alias=True, include={"changed_periods", "changes_until"})
    columns = [*(to_camel(name) for name in ChangedPeriod.model_fields), "changesUntil"]
    return csv_text(columns, ({**row, "changesUntil": entry["changesUntil"]} for row in entry["changedPeriods"]))


def comparison_table(comparison: Comparison) -> str:
    """Return a comparison as CSV, one row per figure."""
    of_days = ["matchedDays", "possibleDays", "comparable", "storedDays", "notFinalDays"]
    columns = ["figure", "current", "previous", "changePercent", "changePoints", "total", "leftOut", *of_days]
    entry = comparison.model_dump(mode="json", by_alias=True)
    shared = {name: entry[name] for name in of_days}
    metrics = ["totalClassifications", "escalations", "riskScore", "avgConfidence"]
    return csv_text(columns, [{"figure": name, **entry[name], **shared} for name in metrics])


def topic_changes_table(found: TopicChanges) -> str:
    """Return changes of topics and tones as CSV: one row each, and one per organization that is named for it."""
    sides = [to_camel(name) for name in Sides.model_fields]
    organization = [_organization_column(part) for part in Organization.model_fields]
    coverage = {"matchedDays": found.matched_days, "possibleDays": found.possible_days, "comparable": found.comparable}
    columns = ["distribution", "name", *organization, *sides, "channels", *coverage]
    entries: list[dict[str, Any]] = []
    for distribution in ("topics", "tones"):
        for change in getattr(found, distribution):
            for part in (change, *change.organizations):
                entry = _flat(part.model_dump(mode="json", by_alias=True, exclude={"organizations"}))
                channels = [channel["channelId"] for channel in entry["channels"]]
                named = {"distribution": distribution, "name": change.name, "channels": channels}
                entries.append({**entry, **named, **coverage})
    return csv_text(columns, entries)


def file_name(name: str) -> str:
    """Return a name for a download that any file system takes."""
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "_" for letter in name)


def _organization_column(part: str) -> str:
    return f"organization{part.title()}"


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    organization = entry.pop("organization", None) or {}
    return {**{_organization_column(part): value for part, value in organization.items()}, **entry}


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        value = " ".join(map(str, value))
    elif isinstance(value, dict):
        value = json.dumps(value)
    return FORMULA.sub(r"\1'", value) if isinstance(value, str) else value
