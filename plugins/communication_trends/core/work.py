"""What the aggregation is asked to do: plain values. No Airflow in here."""

from __future__ import annotations

import decimal
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from communication_trends.core.period import Period

Item = TypeVar("Item")

PARTS = 4
"""
How many parts a failed batch is split into.

With one broken of 2,500, halving re-stores 3 times the rows, quartering 2.3 times, in as many statements.
"""


@dataclass(frozen=True)
class HotspotRule:
    """
    When a channel is a hotspot.

    :param topics: the risky ones.
    :param min_messages: minimum messages of the period for a channel to be a hotspot.
    :param min_ratio: risky share above which it is one, exactly.
    """

    topics: Sequence[str] = ("complaint", "escalation")
    min_messages: int = 10
    min_ratio: decimal.Decimal = decimal.Decimal("0.3")

    def as_json(self) -> str:
        """Return it as provenance stores it; two rules that mean the same are the same JSON."""
        # the ratio as it is, not by way of a float
        return (
            f'{{"topics": {json.dumps(sorted(set(self.topics)), ensure_ascii=False)}, '
            f'"minMessages": {self.min_messages}, "minRatio": {self.min_ratio:f}}}'
        )


def read_rule(stored: str | None) -> dict[str, Any] | None:
    """
    Return a rule of hotspots as provenance has it; None where there is none, or something else in its place.

    :param stored: the JSON.
    """
    try:
        rule = json.loads(stored or "null")
        is_rule = (
            isinstance(rule, dict)
            and rule.keys() == {"topics", "minMessages", "minRatio"}
            and isinstance(rule["topics"], list)
            and all(isinstance(topic, str) for topic in rule["topics"])
            and all(type(rule[name]) in (int, float) for name in ("minMessages", "minRatio"))
            and float(rule["minMessages"]) == int(rule["minMessages"])
            and 0 <= float(rule["minRatio"]) <= 1
        )
    # PostgreSQL's JSON may have more digits, and be nested deeper, than Python reads
    except (ValueError, RecursionError, OverflowError):
        return None
    return rule if is_rule else None


@dataclass(frozen=True)
class Origin:
    """
    Who computes trends, for their provenance.

    :param dag_id: the DAG's id.
    :param run_id: the run's id.
    :param package_version: the package's version.
    """

    dag_id: str | None = None
    run_id: str | None = None
    package_version: str | None = None


class Fill(StrEnum):
    """Whether the run's own period is stored where no trend is, though the source may have lost its rows."""

    ALWAYS = "always"
    """It has just ended: nothing has been lost yet."""
    NOT_FINAL = "not final"
    """A user asked for it: it is stored, and said to be incomplete."""
    IF_IN_SOURCE = "if in source"
    """It stays missing, as an earlier period does."""


@dataclass(frozen=True)
class Work:
    """
    What to do.

    :param organizations: ids.
    :param period: the run's own period, stored first, in a separate transaction.
    :param lookback_periods: periods to recompute after it, newest first; of these only what differs is stored.
    :param force: whether a trend of the run's own period is overwritten even if the source now has fewer rows than it
        was made from.
    :param fill: whether the run's own period is stored where the source may have lost its rows.
    :param hotspots: when a channel is a hotspot.
    :param origin: who does it.
    """

    organizations: Sequence[str]
    period: Period
    lookback_periods: Sequence[Period] = ()
    force: bool = False
    fill: Fill = Fill.ALWAYS
    hotspots: HotspotRule = field(default_factory=HotspotRule)
    origin: Origin = field(default_factory=Origin)


def split(items: Sequence[Item]) -> list[Sequence[Item]]:
    """
    Return items in as many parts as what has failed is split into.

    :param items: two or more.
    """
    return chunks(items, -(-len(items) // PARTS))


def chunks(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """
    Return items in parts of a size, the last one of what is left.

    :param size: one or more.
    """
    return [items[start : start + size] for start in range(0, len(items), size)]
