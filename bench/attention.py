"""
The false positives and the detection rate of the rule for anomalies, on simulated histories.

Usage: ``.venv/bin/python -m bench.attention``; docs/attention.md has the results; minutes. Every history
is a tenant of 5 to 10,000 messages a day with a week's rhythm, and negative binomial counts of four metrics, each of
which varies by itself.
"""

from __future__ import annotations

import datetime
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from communication_trends.core.anomalies import Finding, find_anomalies
from communication_trends.core.counts import METRICS, Counts
from communication_trends.core.period import DAILY, Period

DAYS = 56
"""Days before one that the rule sees."""

SIZES = [5, 10, 20, 40, 80, 150, 300, 1_000, 5_000, 10_000]
"""Messages a day."""

RHYTHM = [1.1, 1.2, 1.15, 1.1, 1.0, 0.5, 0.45]
"""Share of an average day that a weekday has, Monday first."""

OTHER_RHYTHM = [0.8, 0.9, 1.0, 1.1, 1.2, 1.0, 0.5]
SHARES = {"messages": 1.0, "risky": 0.15, "alerts": 0.03, "negative": 0.2}
"""Mean of each metric, per message."""

MONDAY = datetime.date(2026, 1, 5)


@dataclass(frozen=True)
class History:
    """
    How a tenant's days come about.

    :param size: messages of an average day.
    :param dispersion: variance of a count as a multiple of its mean.
    :param growth: by how much it grows each week.
    :param level_cv: coefficient of variation of a day's level, which all metrics share.
    :param share_cv: the same of each metric but the messages, by itself.
    :param has_rare_alerts: whether alerts are zero on 85% of days.
    :param silent_part: part of the days on which nothing comes, by chance.
    :param rhythm: share of an average day that a weekday has.
    :param shares: mean of each metric, per message.
    :param is_other: whether levels and shares are lognormal, and a share is a binomial part of the day's messages: as
        no constant of the rule was chosen for.
    """

    size: float
    dispersion: float = 1.3
    growth: float = 0.0
    level_cv: float = 0.0
    share_cv: float = 0.0
    has_rare_alerts: bool = False
    silent_part: float = 0.0
    rhythm: Sequence[float] = field(default_factory=lambda: RHYTHM)
    shares: dict[str, float] = field(default_factory=lambda: SHARES)
    is_other: bool = False

    def day(self, number: int, chance: random.Random) -> Counts:
        """Return a day, by its number from a Monday on."""
        if self.silent_part and chance.random() < self.silent_part:
            return Counts(0, 0, 0, 0)
        factor = lognormal if self.is_other else scattered
        level = self.size * self.rhythm[number % 7] * (1 + self.growth) ** (number / 7) * factor(self.level_cv, chance)
        counts: dict[str, int] = {}
        for name, share in self.shares.items():
            part = share * (1 if name == "messages" else factor(self.share_cv, chance))
            if self.is_other and name in ("risky", "negative"):
                counts[name] = binomial(counts["messages"], min(part, 0.9), chance)
            else:
                counts[name] = count(level * part, self.dispersion, chance)
        if self.has_rare_alerts:
            counts["alerts"] = 0 if chance.random() < 0.85 else 1 + count(1, 2, chance)
        return Counts(**counts)


HISTORIES: dict[str, dict[str, Any]] = {
    "stationary": {},
    "growth 1% a week": {"growth": 0.01},
    "growth 2% a week": {"growth": 0.02},
    "growth 3% a week": {"growth": 0.03},
    "variance 2 × the mean": {"dispersion": 2},
    "variance 4 × the mean": {"dispersion": 4},
    "variance 6 × the mean": {"dispersion": 6},
    "daily level, CV 0.1": {"level_cv": 0.1},
    "daily level, CV 0.25": {"level_cv": 0.25},
    "shares, CV 0.1": {"share_cv": 0.1},
    "shares, CV 0.25": {"share_cv": 0.25},
    "level and shares, CV 0.25": {"level_cv": 0.25, "share_cv": 0.25},
    "alerts on 15% of days": {"has_rare_alerts": True},
}
"""Histories in which nothing is planted."""


OTHER_HISTORIES: dict[str, dict[str, Any]] = {
    "stationary": {},
    "growth 3% a week": {"growth": 0.03},
    "decline 3% a week": {"growth": -0.03},
    "daily level, CV 0.25": {"level_cv": 0.25},
    "shares, CV 0.25": {"share_cv": 0.25},
    "variance 3 × the mean, all CV 0.2": {"dispersion": 3, "level_cv": 0.2, "share_cv": 0.2},
    "no messages at the weekend": {"rhythm": [1.1, 1.0, 1.0, 1.0, 0.9, 0.0, 0.0]},
    "no messages on a fifth of the days": {"silent_part": 0.2},
    "no messages on half of the days": {"silent_part": 0.5},
    "no messages on four of five days": {"silent_part": 0.8},
}
"""Histories of another kind, with `History.is_other`."""


def lognormal(cv: float, chance: random.Random) -> float:
    """Return a factor around 1 with a coefficient of variation: lognormally distributed."""
    variance = math.log1p(cv**2)
    return math.exp(chance.gauss(-variance / 2, math.sqrt(variance)))


def binomial(number: int, part: float, chance: random.Random) -> int:
    """Return how many of a number there are, of which each is one with a probability."""
    if number * part * (1 - part) > 50:
        # as good as normal by then
        return min(number, max(0, round(chance.gauss(number * part, math.sqrt(number * part * (1 - part))))))
    return sum(chance.random() < part for _ in range(number))


def scattered(cv: float, chance: random.Random) -> float:
    """Return a factor around 1 with a coefficient of variation: gamma-distributed."""
    return chance.gammavariate(1 / cv**2, cv**2) if cv else 1.0


def count(mean: float, dispersion: float, chance: random.Random) -> int:
    """Return a negative binomial count: Poisson's, of a gamma-distributed mean."""
    level = chance.gammavariate(mean / (dispersion - 1), dispersion - 1) if mean else 0
    if level > 50:
        # as good as normal by then
        return max(0, round(chance.gauss(level, math.sqrt(level))))
    number, product, limit = 0, chance.random(), math.exp(-level)
    while product > limit:
        number += 1
        product *= chance.random()
    return number


def findings(current: Counts, history: Sequence[Counts | None], number: int) -> list[Finding]:
    """Return what the package finds on a day, by its number from a Monday on; the days before it come newest first."""
    return find_anomalies(current, history, Period(DAILY, MONDAY + datetime.timedelta(number)), ["complaint"])


def print_line(title: str, number: float, digits: int = 2) -> None:
    """Print one line of a table."""
    print(f"{title:44} {number:7.{digits}f}", flush=True)


def false_positives(changes: Mapping[str, Any], tenants: int, days: int, chance: random.Random) -> list[float]:
    """Return the share of days with any finding, in percent, for each size."""
    rates = []
    for size in SIZES:
        found = 0
        for _ in range(tenants):
            history = History(size, **changes)
            series = [history.day(number, chance) for number in range(DAYS + days)]
            for number in range(DAYS, DAYS + days):
                found += bool(findings(series[number], series[number - DAYS : number][::-1], number))
        rates.append(100 * found / (tenants * days))
    return rates


@dataclass(frozen=True)
class Change:
    """
    A change that the rule is to find.

    :param title: what it is.
    :param metric: the name of the metric in the API.
    :param attribute: its name in `Counts`.
    :param size: messages of the day, usually.
    :param mean: count of the metric on that weekday, usually.
    :param times: by how much it is multiplied.
    """

    title: str
    metric: str
    attribute: str
    size: float
    mean: float
    times: float


CHANGES = [
    Change("messages, usually 30, twice that", "totalClassifications", "messages", 30, 30, 2),
    Change("alerts, usually 30, twice that", "escalations", "alerts", 300, 30, 2),
    Change("risk, usually 30 of 200, twice that", "riskScore", "risky", 200, 30, 2),
    Change("messages, usually 60, twice that", "totalClassifications", "messages", 60, 60, 2),
    Change("messages, usually 300, twice that", "totalClassifications", "messages", 300, 300, 2),
    Change("messages, usually 10, three times that", "totalClassifications", "messages", 10, 10, 3),
    Change("alerts, usually 10, three times that", "escalations", "alerts", 300, 10, 3),
    Change("risk, usually 10 of 100, three times that", "riskScore", "risky", 100, 10, 3),
    Change("messages, usually 300, a fall to 30%", "totalClassifications", "messages", 300, 300, 0.3),
    Change("risk of 300 messages, from 8 to 30%", "riskScore", "risky", 300, 24, 3.75),
]


def detection(change: Change, cases: int, chance: random.Random, *, incidents: int) -> float:
    """
    Return in which share of cases a change is found on its first day, in percent.

    :param incidents: on the same weekday of how many of the eight weeks before there was one half as large again; that
        of a fall is a rise to 2.5 times.
    """
    found = 0
    for _ in range(cases):
        today = DAYS + chance.randrange(7)
        rhythm = [part / RHYTHM[today % 7] for part in RHYTHM]
        shares = {**SHARES, change.attribute: change.mean / change.size}
        history = History(change.size, rhythm=rhythm, shares=shares)
        series = [history.day(number, chance) for number in range(today - DAYS, today + 1)]
        # of the weekday 0 to 6 that today is, not of the one that the list begins with
        planted = {DAYS: change.times}
        for weeks in chance.sample(range(1, 9), incidents):
            planted[DAYS - 7 * weeks] = 1.5 * max(change.times, 5 / 3)
        for number, times in planted.items():
            counts = {change.attribute: count(times * change.mean, 1.3, chance)}
            series[number] = series[number]._replace(**counts)
            if change.attribute != "messages":
                # messages that are risky are messages as well
                more = counts[change.attribute] - series[number].messages
                series[number] = series[number]._replace(messages=series[number].messages + max(0, more))
        found += change.metric in {one.figure for one in findings(series[-1], series[-2::-1], today)}
    return 100 * found / cases


def after_event(
    title: str, plant: Callable[[int, Counts, random.Random], Counts | None], weeks: int, chance: random.Random
) -> None:
    """
    Print by week the share of days with a finding, where something begins on a day and goes on or is over.

    :param plant: returns what a day, by its number from the event on, is made to; None for one that is not stored.
    """
    sizes, tenants = [20, 80, 300, 1_000], 12
    found = [0] * weeks
    for size in sizes:
        for _ in range(tenants):
            history = History(size)
            series: list[Counts | None] = [history.day(number, chance) for number in range(DAYS + 7 * weeks)]
            for number in range(7 * weeks):
                series[DAYS + number] = plant(number, history.day(DAYS + number, chance), chance)
            for number in range(7 * weeks):
                current = series[DAYS + number]
                if current is not None:
                    before = series[number : DAYS + number][::-1]
                    found[number // 7] += bool(findings(current, before, DAYS + number))
    for week, days in enumerate(found, start=1):
        print_line(f"{title}, week {week}", 100 * days / (7 * len(sizes) * tenants), 1)


def said_together(moved: float, times: float, chance: random.Random) -> list[float]:
    """
    Return for `SHARES_TOGETHER` on how many days, in percent, something is said of many of 60 organizations at once.

    :param moved: share of the organizations whose day is another one than usual.
    :param times: by how much all of their counts are multiplied.
    """
    days, tenants = 60, 60
    numbers = []
    for number in range(DAYS, DAYS + days):
        found: dict[tuple[str, str], int] = {}
        for tenant in range(tenants):
            history = History(SIZES[tenant % len(SIZES)], dispersion=2)
            series = [history.day(one, chance) for one in range(number - DAYS, number + 1)]
            current = scaled(series[-1], times) if tenant < moved * tenants else series[-1]
            for one in findings(current, series[-2::-1], number):
                found[one.figure, one.direction] = found.get((one.figure, one.direction), 0) + 1
        numbers.append(max(found.values(), default=0))
    return [100 * sum(one >= share * tenants for one in numbers) / days for share in SHARES_TOGETHER]


SHARES_TOGETHER = (0.05, 0.1, 0.2, 0.3)


def scaled(one: Counts, times: float) -> Counts:
    """Return a day with all of its counts multiplied."""
    return Counts(*(round(times * getattr(one, name)) for name in SHARES))


def changed_rhythm(number: int, one: Counts, _: random.Random) -> Counts:
    """Return a day of another weekly rhythm."""
    return scaled(one, OTHER_RHYTHM[number % 7] / RHYTHM[number % 7])


EVENTS: dict[str, tuple[int, Callable[[int, Counts, random.Random], Counts | None]]] = {
    "twice as much for good": (6, lambda _, one, __: scaled(one, 2)),
    "risk 15 → 45% for good": (6, lambda _, one, __: one._replace(risky=3 * one.risky)),
    "silent for good": (6, lambda *_: Counts(0, 0, 0, 0)),
    "a holiday week, then as before": (4, lambda number, one, _: scaled(one, 0.3) if number < 7 else one),
    "an outage of 5 days with zeros": (4, lambda number, one, _: Counts(0, 0, 0, 0) if number < 5 else one),
    "an outage of 5 days not stored": (4, lambda number, one, _: None if number < 5 else one),
    "another weekly rhythm": (6, changed_rhythm),
}


def main() -> None:
    """Print the tables."""
    chance, started = random.Random(17), time.perf_counter()
    print(f"{'false positives, % of tenant-days':44} {'average':>7}", *(f"{size:>7,}" for size in SIZES))
    for title, changes in HISTORIES.items():
        rates = false_positives(changes, tenants=8, days=112, chance=chance)
        print(f"{title:44} {statistics.fmean(rates):7.2f}", *(f"{rate:7.2f}" for rate in rates), flush=True)
    for incidents in (0, 1, 3):
        print(f"\nfound on the first day, %, {incidents} incidents before")
        for change in CHANGES:
            print_line(change.title, detection(change, 3_000, chance, incidents=incidents), 1)
    print("\ndays with a finding, %")
    for title, (weeks, plant) in EVENTS.items():
        after_event(title, plant, weeks, chance)
    print(f"\n{'days on which many are said at once, %':44}", *(f"{100 * share:6.0f}%" for share in SHARES_TOGETHER))
    for title, moved, times in (
        ("an ordinary day of 60 organizations", 0, 1),
        ("a fifth of them twice as high", 0.2, 2),
        ("a third of them twice as high", 1 / 3, 2),
        ("half of them at 40%", 0.5, 0.4),
        ("all of them at 40%", 1, 0.4),
    ):
        print(f"{title:44}", *(f"{share:7.1f}" for share in said_together(moved, times, chance)), flush=True)
    print("\nfalse positives on other histories, % of tenant-days")
    for title, changes in OTHER_HISTORIES.items():
        rates = false_positives({**changes, "is_other": True}, tenants=8, days=112, chance=random.Random(29))
        print_line(title, statistics.fmean(rates))
    series = [History(300, level_cv=0.25).day(number, chance) for number in range(10 * DAYS)]
    judged = time.process_time()
    for number in range(DAYS, len(series)):
        before = series[number - DAYS : number][::-1]
        findings(series[number], before, number)
        findings(scaled(series[number], 3), before, number)
    spent = (time.process_time() - judged) / (2 * (len(series) - DAYS) * len(METRICS))
    print(f"\n{1e6 * spent:.0f} µs of CPU a metric, half of the days three times as high as usual")
    print(f"{time.perf_counter() - started:.0f} s, {time.process_time():.0f} s of CPU")


if __name__ == "__main__":
    main()
