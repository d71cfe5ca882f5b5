"""
The false positives and the detection rate of rules for anomalies, on simulated histories.

Usage: ``.venv/bin/python -m bench.attention``; docs/attention.md has the results and how long it takes. Every history
is a tenant of 5 to 10,000 messages a day with a week's rhythm, and negative binomial counts of four metrics, each of
which varies by itself. Each rule judges the same days with the same 56 days before.
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

from communication_trends.core.anomalies import find_anomalies
from communication_trends.core.baseline import z_score
from communication_trends.core.counts import METRICS, Counts
from communication_trends.core.period import DAILY, Period

DAYS = 56
"""Days before one that a rule sees."""

SIZES = [5, 10, 20, 40, 80, 150, 300, 1_000, 5_000, 10_000]
"""Messages a day."""

RHYTHM = [1.1, 1.2, 1.15, 1.1, 1.0, 0.5, 0.45]
"""Share of an average day that a weekday has, Monday first."""

OTHER_RHYTHM = [0.8, 0.9, 1.0, 1.1, 1.2, 1.0, 0.5]
SHARES = {"messages": 1.0, "risky": 0.15, "alerts": 0.03, "negative": 0.2}
"""Mean of each metric, per message."""

MONDAY = datetime.date(2026, 1, 5)

Rule = Callable[[Counts, Sequence[Counts | None], Period], set[str]]
"""From a day, the days before it, newest first, and which day it is: the names of the metrics that are anomalous."""


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


def share_of(one: Counts, attribute: str) -> float:
    """Return a metric as a share of the messages."""
    return getattr(one, attribute) / one.messages if one.messages else 0


def of_eight(*, trim: bool) -> Rule:
    """
    Return the rule before this one: the mean of the same weekday, above all of which a count must be.

    :param trim: without the highest and the lowest of the eight.
    """

    def rule(current: Counts, history: Sequence[Counts | None], _: Period) -> set[str]:
        same = [one for one in history[6::7] if one]
        found = set()
        for metric in METRICS if len(same) >= 6 else []:
            number, counts = metric.of(current), sorted(metric.of(one) for one in same)
            counts = counts[1:-1] if trim else counts
            mean, least = statistics.fmean(counts), len(counts)
            own = statistics.variance(counts) / mean if mean else 0
            spread = math.sqrt((own if own > 4 else 1.3) * (1 + 1 / least))
            score = 2 * (math.sqrt(number + 0.375) - math.sqrt(mean + 0.375)) / spread
            limit = (2.6 if trim else 2.38) if mean >= 8 else 3.0
            is_high = number >= (1.5 if mean >= 26 else 2) * mean and number > counts[-1] and score >= limit
            if metric.is_share and is_high:
                shares = sorted(share_of(one, metric.attribute) for one in same)
                is_high = share_of(current, metric.attribute) > shares[-2]
            is_low = metric.sinks and number <= 0.5 * mean and number < counts[0] and score <= -4
            if is_high or is_low:
                found.add(metric.name)
        return found

    return rule


def of_medians(current: Counts, history: Sequence[Counts | None], _: Period) -> set[str]:
    """Medians of the weekdays, the level of the last 14 days, MAD, and a negative binomial tail of 1 in 1,000."""
    found = set()
    for metric in METRICS:
        phases = [[metric.of(one) for one in history[(6 - 1 + phase) % 7 :: 7] if one] for phase in range(1, 8)]
        # phases[0] is the same weekday, phases[1] the day after it
        medians = [statistics.median(phase) if phase else 0 for phase in phases]
        if len(phases[0]) < 6:
            continue
        distances = [
            abs(number - medians[one]) / math.sqrt(medians[one] or 1) for one in range(7) for number in phases[one]
        ]
        dispersion = max(1.3, (1.4826 * statistics.median(distances)) ** 2)
        recent = [(metric.of(one), medians[(7 - back) % 7]) for back, one in enumerate(history[:14], start=1) if one]
        expected = sum(mean for _, mean in recent)
        level = sum(number for number, _ in recent) / expected if expected else 1
        number, mean = metric.of(current), max(0.1, medians[0] * level)
        score = z_score(number, mean, dispersion)
        is_high = score >= 3.09 and number >= (1.5 if mean >= 26 else 2) * mean
        if metric.is_share and is_high:
            is_high = share_of(current, metric.attribute) >= 1.25 * statistics.median(
                [share_of(one, metric.attribute) for one in history[6::7] if one]
            )
        if is_high or (metric.sinks and score <= -3.09 and number <= 0.5 * mean):
            found.add(metric.name)
    return found


def of_package(current: Counts, history: Sequence[Counts | None], period: Period) -> set[str]:
    """Return what the package finds."""
    return {one.figure for one in find_anomalies(current, history, period, ["complaint"])}


RULES: dict[str, Rule] = {
    "mean of eight": of_eight(trim=False),
    "trimmed mean": of_eight(trim=True),
    "medians, MAD": of_medians,
    "the package's": of_package,
}


def period_of(number: int) -> Period:
    """Return a day by its number."""
    return Period(DAILY, MONDAY + datetime.timedelta(number))


def print_line(title: str, numbers: Sequence[float], digits: int = 2) -> None:
    """Print one line of a table."""
    print(f"{title:44}", *(f"{number:16.{digits}f}" for number in numbers), flush=True)


def false_positives(
    changes: Mapping[str, Any], tenants: int, days: int, chance: random.Random
) -> dict[str, list[float]]:
    """Return by rule the share of days with any finding, in percent, for each size."""
    rates: dict[str, list[float]] = {name: [] for name in RULES}
    for size in SIZES:
        found = dict.fromkeys(RULES, 0)
        for _ in range(tenants):
            history = History(size, **changes)
            series = [history.day(number, chance) for number in range(DAYS + days)]
            for number in range(DAYS, DAYS + days):
                before = series[number - DAYS : number][::-1]
                for name, rule in RULES.items():
                    found[name] += bool(rule(series[number], before, period_of(number)))
        for name in RULES:
            rates[name].append(100 * found[name] / (tenants * days))
    return rates


@dataclass(frozen=True)
class Change:
    """
    A change that a rule is to find.

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


def detection(change: Change, cases: int, chance: random.Random, *, incidents: int) -> dict[str, float]:
    """
    Return by rule in which share of cases a change is found on its first day, in percent.

    :param incidents: on the same weekday of how many of the eight weeks before there was one half as large again; that
        of a fall is a rise to 2.5 times.
    """
    found = dict.fromkeys(RULES, 0)
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
        for name, rule in RULES.items():
            found[name] += change.metric in rule(series[-1], series[-2::-1], period_of(today))
    return {name: 100 * number / cases for name, number in found.items()}


def after_event(
    title: str, plant: Callable[[int, Counts, random.Random], Counts | None], weeks: int, chance: random.Random
) -> None:
    """
    Print by week the share of days with a finding, where something begins on a day and goes on or is over.

    :param plant: returns what a day, by its number from the event on, is made to; None for one that is not stored.
    """
    sizes, tenants = [20, 80, 300, 1_000], 12
    found = {name: [0] * weeks for name in RULES}
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
                    for name, rule in RULES.items():
                        found[name][number // 7] += bool(rule(current, before, period_of(DAYS + number)))
    for week in range(weeks):
        print_line(
            f"{title}, week {week + 1}", [100 * found[name][week] / (7 * len(sizes) * tenants) for name in RULES], 1
        )


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
            for one in find_anomalies(current, series[-2::-1], period_of(number), ["complaint"]):
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
    print(f"{'false positives, % of tenant-days':44}", *(f"{name:>16}" for name in RULES))
    own: dict[str, list[float]] = {}
    for title, changes in HISTORIES.items():
        rates = false_positives(changes, tenants=8, days=112, chance=chance)
        own[title] = rates["the package's"]
        print_line(title, [statistics.fmean(rates[name]) for name in RULES])
    print(f"\n{'the package, by messages a day':44}", *(f"{size:>7,}" for size in SIZES))
    for title, by_size in own.items():
        print(f"{title:44}", *(f"{rate:7.2f}" for rate in by_size))
    for incidents in (0, 1, 3):
        said = f"found on the first day, %, {incidents} incidents before"
        print(f"\n{said:44}", *(f"{name:>16}" for name in RULES))
        for change in CHANGES:
            rates_of = detection(change, 3_000, chance, incidents=incidents)
            print_line(change.title, [rates_of[name] for name in RULES], 1)
    print(f"\n{'days with a finding, %':44}", *(f"{name:>16}" for name in RULES))
    for title, (weeks, plant) in EVENTS.items():
        after_event(title, plant, weeks, chance)
    print(f"\n{'days on which many are said at once, %':44}", *(f"{100 * share:14.0f}%" for share in SHARES_TOGETHER))
    for title, moved, times in (
        ("an ordinary day of 60 organizations", 0, 1),
        ("a fifth of them twice as high", 0.2, 2),
        ("a third of them twice as high", 1 / 3, 2),
        ("half of them at 40%", 0.5, 0.4),
        ("all of them at 40%", 1, 0.4),
    ):
        print_line(title, said_together(moved, times, chance), 1)
    print(f"\n{'false positives on other histories, %':44}", *(f"{name:>16}" for name in RULES))
    for title, changes in OTHER_HISTORIES.items():
        rates = false_positives({**changes, "is_other": True}, tenants=8, days=112, chance=random.Random(29))
        print_line(title, [statistics.fmean(rates[name]) for name in RULES])
    series = [History(300, level_cv=0.25).day(number, chance) for number in range(10 * DAYS)]
    judged = time.process_time()
    for number in range(DAYS, len(series)):
        of_package(series[number], series[number - DAYS : number][::-1], period_of(number))
        of_package(scaled(series[number], 3), series[number - DAYS : number][::-1], period_of(number))
    spent = (time.process_time() - judged) / (2 * (len(series) - DAYS) * len(METRICS))
    print(f"\n{1e6 * spent:.0f} µs of CPU a metric, half of the days three times as high as usual")
    print(f"{time.perf_counter() - started:.0f} s, {time.process_time():.0f} s of CPU")


if __name__ == "__main__":
    main()
