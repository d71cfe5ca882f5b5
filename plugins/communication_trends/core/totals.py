"""The arithmetic: sums, shares and changes, exact and rounded half up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

RISK_PRIOR = 200
"""
Messages at the usual share that are added to an organization's own before it is ranked by risk.

So many that a complaint or two among a hundred messages rank no organization first, and that a thousand messages
speak for themselves.
"""

MIN_MATCHED_PERCENT = 80
"""Share of what is stored and final in both ranges, in percent of what could be, below which a change says nothing."""


def rounded(numerator: int, denominator: int) -> int | None:
    """Return the quotient of two counts, rounded half up in whole numbers, or None without a denominator."""
    return (2 * numerator + denominator) // (2 * denominator) if denominator else None


@dataclass
class Sums:
    """
    What can be added up over periods and organizations.

    :param messages: classified messages.
    :param risky: those of a risky topic.
    :param alerts: escalation alerts.
    :param with_tone: messages with a tone.
    :param confidence: the periods' average confidences, each times its messages.
    :param confident: messages of the periods that have an average.
    """

    messages: int = 0
    risky: int = 0
    alerts: int = 0
    with_tone: int = 0
    confidence: int = 0
    confident: int = 0

    def add(self, other: Sums) -> None:
        """Add another's sums to these."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def risk_score(self) -> int | None:
        """Share of risky messages in percent, rounded half up; None without messages."""
        return rounded(100 * self.risky, self.messages)

    @property
    def avg_confidence(self) -> int | None:
        """Mean of the averages, weighted by messages, rounded half up; None without any."""
        return rounded(self.confidence, self.confident)


def change_percent(current: int, previous: int) -> float | None:
    """Return by how much a count has changed, in percent with one decimal, or None where it was nothing before."""
    return _one_decimal(Decimal(100) * (current - previous) / previous) if previous else None


def change_points(current: tuple[int, int], previous: tuple[int, int], *, factor: int) -> float | None:
    """
    Return by how much a quotient of counts has changed, with one decimal, or None where either has no denominator.

    :param current: numerator and denominator now.
    :param previous: the same before.
    :param factor: what the quotients are multiplied with: 100 for a share in percent.
    """
    if not current[1] or not previous[1]:
        return None
    # over one denominator, so that nothing is rounded before the end
    numerator = factor * (current[0] * previous[1] - previous[0] * current[1])
    return _one_decimal(Decimal(numerator) / (current[1] * previous[1]))


def is_comparable(matched: int, possible: int) -> bool:
    """
    Return whether enough is stored and final in both ranges to say how a metric has changed.

    :param matched: periods that are stored and final in both.
    :param possible: those that could be: their runs are due.
    """
    return matched > 0 and 100 * matched >= MIN_MATCHED_PERCENT * possible


def shrunk_percent(part: tuple[int, int], usual: tuple[int, int]) -> float | None:
    """
    Return a share in percent, shrunk towards the usual one by `RISK_PRIOR`, with one decimal; None where it is unknown.

    :param part: numerator and denominator.
    :param usual: the same of what is usual.
    """
    if not part[1] or not usual[1]:
        return None
    numerator = 100 * (part[0] * usual[1] + RISK_PRIOR * usual[0])
    return _one_decimal(Decimal(numerator) / ((part[1] + RISK_PRIOR) * usual[1]))


def percent(count: int, whole: int) -> float | None:
    """Return a share in percent, with one decimal, or None of nothing."""
    return _one_decimal(Decimal(100) * count / whole) if whole else None


def per_thousand(count: int, messages: int) -> float | None:
    """Return a count per 1,000 messages, with one decimal, or None without messages."""
    return _one_decimal(Decimal(1000) * count / messages) if messages else None


def sums_of_distributions(
    messages: int,
    topics: Mapping[str, int],
    tones: Mapping[str, int],
    alerts: Mapping[str, int],
    *,
    confidence: int,
    confident: int,
    risky_topics: Iterable[str],
) -> Sums:
    """
    Return the sums of a period whose distributions are known.

    :param risky_topics: those of the settings, each once.
    """
    return Sums(
        messages=messages,
        risky=sum(topics.get(topic, 0) for topic in risky_topics),
        alerts=sum(alerts.values()),
        with_tone=sum(tones.values()),
        confidence=confidence,
        confident=confident,
    )


def sums_of(row: Mapping[str, Any], prefix: str) -> Sums:
    """
    Return the sums of a row.

    :param row: with a column for each sum; null for no trend.
    :param prefix: what its names begin with.
    """
    names = ("messages", "risky", "alerts", "confidence", "confident")
    return Sums(**{name: row[f"{prefix}{name}"] or 0 for name in names})


def risk_change(now: Sums, before: Sums) -> float | None:
    """Return by how many points the risk has changed, with one decimal, or None where there are no messages."""
    return change_points((now.risky, now.messages), (before.risky, before.messages), factor=100)


def confidence_change(now: Sums, before: Sums) -> float | None:
    """Return by how many points the confidence has changed, with one decimal, or None where there is none."""
    return change_points((now.confidence, now.confident), (before.confidence, before.confident), factor=1)


def counts(distribution: Mapping[str, Any]) -> dict[str, int]:
    """Return a stored distribution, of a readable trend, with whole numbers."""
    return {name: int(count) for name, count in distribution.items()}


def added(distributions: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the sum of distributions, key by key."""
    total: dict[str, int] = {}
    for distribution in distributions:
        for name, count in distribution.items():
            total[name] = total.get(name, 0) + count
    return total


def _one_decimal(value: Decimal) -> float:
    # + 0: no change is 0.0, never -0.0
    return float(value.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)) + 0
