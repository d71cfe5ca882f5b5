"""
What is unusual for a tenant: a period against the same weekday of the eight weeks before. No Airflow in here.

The statistic was chosen by measuring (``bench/attention.py``, docs/attention.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from communication_trends.core.period import DAILY, Period
from communication_trends.core.totals import rounded

EARLIER = 8
"""Periods that one is compared with: of days, the same weekday of so many weeks before."""

ENOUGH = 6
"""How many of them must be stored; with fewer, nothing is said."""

SCATTER = 1.3
"""Variance of a count in a quiet history, as a multiple of its mean: a little more than Poisson's."""

SCATTER_BEYOND_CHANCE = 4.0
"""Where the earlier counts scatter more than this, which one history in 300 does by chance, theirs is taken."""

UNUSUAL = 2.38
"""Standard deviations above the mean from which a count is unusual."""

UNUSUAL_WHEN_SMALL = 3.0
"""The same where the mean is below `SMALL`: there are many small figures, and each is wrong now and then."""

SMALL = 8

UNUSUALLY_FEW = 4.0
"""Standard deviations below the mean from which messages are unusually few."""

AT_LEAST_TIMES = 1.5
"""Smallest ratio to the mean at which more is worth a person's attention, however certain it is."""

PLURALS = {"complaint": "complaints", "escalation": "escalations", "request": "requests"}
"""Topics that can be counted, as a sentence has them; others have their own name."""

AT_MOST_TIMES = 0.5
"""Largest ratio to the mean at which fewer messages are worth it."""

AT_LEAST_TIMES_BELOW_26 = 2.0
"""`AT_LEAST_TIMES` where the mean is below 26: smaller figures often are half as high again by chance."""


@dataclass(frozen=True)
class Figures:
    """
    What is looked at of one organization and period.

    :param messages: classified messages.
    :param risky: those of a risky topic.
    :param alerts: escalation alerts.
    :param negative: messages in an angry or frustrated tone.
    """

    messages: int
    risky: int
    alerts: int
    negative: int


@dataclass(frozen=True)
class Finding:
    """
    One figure that is unusual.

    :param figure: its name in the API: totalClassifications, riskScore, escalations or negativeTones.
    :param direction: up or down.
    :param value: the figure; of riskScore and negativeTones the share of the messages in percent.
    :param usual_low: what it usually is at least: the lowest of the earlier ones but one.
    :param usual_high: what it usually is at most: the highest but one.
    :param compared_with: how many earlier periods that is about.
    :param score: standard deviations from the mean, to order by.
    :param sentence: the same in words.
    """

    figure: str
    direction: str
    value: int
    usual_low: int
    usual_high: int
    compared_with: int
    score: float
    sentence: str


def earlier_periods(period: Period) -> list[Period]:
    """Return the periods that one is compared with, newest first."""
    step = 7 if period.kind is DAILY else 1
    return period.earlier(EARLIER * step)[step - 1 :: step]


def findings(
    current: Figures, earlier: Sequence[Figures], period: Period, risky_topics: Sequence[str]
) -> list[Finding]:
    """
    Return what is unusual about a period, the most unusual first; nothing where there are few data.

    :param current: its figures.
    :param earlier: those of `earlier_periods` that are stored.
    :param period: which period it is, for the words.
    :param risky_topics: those of the settings, for the words.
    """
    if len(earlier) < ENOUGH:
        return []
    looked_at: list[tuple[str, str, Callable[[Figures], int], bool]] = [
        ("totalClassifications", "messages", lambda one: one.messages, False),
        ("riskScore", f"of the messages are {_risky(risky_topics)}", lambda one: one.risky, True),
        ("escalations", "alerts", lambda one: one.alerts, False),
        ("negativeTones", "of the messages are angry or frustrated", lambda one: one.negative, True),
    ]
    found = []
    for name, noun, count, is_share in looked_at:
        score = deviation(count(current), [count(one) for one in earlier])
        direction = "up" if is_high(count(current), [count(one) for one in earlier]) else ""
        if name == "totalClassifications" and is_low(count(current), [count(one) for one in earlier]):
            direction = "down"
        if not direction:
            continue
        shown = [
            rounded(100 * count(one), one.messages) or 0 if is_share else count(one) for one in (current, *earlier)
        ]
        value, (low, *_, high) = shown[0], sorted(shown[1:])[1:-1]
        # twice the complaints among twice the messages are no risk: the messages are what is unusual
        if is_share and value <= high:
            continue
        unit = " %" if is_share else ""
        usual = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        singular = noun[:-1] if value == 1 and not is_share else noun
        sentence = f"{value:,}{unit} {singular}; {_when(period)} usually {usual}{unit}"
        found.append(Finding(name, direction, value, low, high, len(earlier), abs(score), sentence))
    return sorted(found, key=lambda one: -one.score)


def is_high(count: int, earlier: Sequence[int]) -> bool:
    """Whether a count is unusually high, and higher than each earlier one."""
    mean = sum(earlier) / len(earlier)
    limit = UNUSUAL if mean >= SMALL else UNUSUAL_WHEN_SMALL
    times = AT_LEAST_TIMES if mean >= 26 else AT_LEAST_TIMES_BELOW_26
    return count >= times * mean and count > max(earlier) and deviation(count, earlier) >= limit


def is_low(count: int, earlier: Sequence[int]) -> bool:
    """Whether a count is unusually low, and lower than each earlier one."""
    mean = sum(earlier) / len(earlier)
    return count <= AT_MOST_TIMES * mean and count < min(earlier) and deviation(count, earlier) <= -UNUSUALLY_FEW


def deviation(count: int, earlier: Sequence[int]) -> float:
    """
    Return how far a count is from the mean of earlier ones, in standard deviations.

    Square roots of counts scatter alike, whatever their mean (Anscombe).

    :param count: a count.
    :param earlier: the earlier ones; at least two.
    """
    number = len(earlier)
    mean = sum(earlier) / number
    own = sum((one - mean) ** 2 for one in earlier) / (number - 1) / mean if mean else 0
    scatter = own if own > SCATTER_BEYOND_CHANCE else SCATTER
    distance = 2 * (math.sqrt(count + 0.375) - math.sqrt(mean + 0.375))
    return distance / math.sqrt(scatter * (1 + 1 / number))


def _risky(topics: Sequence[str]) -> str:
    """Say which messages are risky: complaints or escalations, unless the settings name other topics."""
    names = [PLURALS.get(topic, topic.replace("_", " ")) for topic in topics]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _when(period: Period) -> str:
    if period.kind is DAILY:
        return f"on {period.first_date:%A}s"
    return f"in the {period.kind.noun}s before"
