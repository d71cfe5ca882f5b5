"""What is expected of a count: its baseline, and how far from it a count is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from communication_trends.core.anomaly_thresholds import (
    BASELINE_PERIODS,
    DISPERSION,
    MIN_MEAN,
    OUTLIER_Z,
    RECURRENCE,
    SHRINKAGE,
    TRIMMED_VARIANCE,
)
from communication_trends.core.period import DAILY, Period

WEEK = 7


def baseline_periods(period: Period) -> list[Period]:
    """Return the periods that one is compared with, newest first."""
    step = cycle_of(period)
    return period.earlier(BASELINE_PERIODS * step)[step - 1 :: step]


def history_periods(period: Period) -> list[Period]:
    """Return all periods that are read to judge one, newest first: of a day, all days of the eight weeks before."""
    return period.earlier(BASELINE_PERIODS * cycle_of(period))


def cycle_of(period: Period) -> int:
    """Return after how many periods one is like another: days after a week, weeks and months after one."""
    return WEEK if period.kind is DAILY else 1


def z_score(count: int, mean: float, dispersion: float) -> float:
    """
    Return the z-score that a count's tail probability has, for a negative binomial count.

    It is that of P(X < count) above the mean, and of P(X <= count) below it: Wilson's and Hilferty's approximation of
    the F distribution that a negative binomial's tail is.

    :param count: the count.
    :param mean: the mean, above 0.
    :param dispersion: variance / mean, above 1.
    """
    above = count > mean
    least = count if above else count + 1
    root = (least / mean) ** (1 / 3)
    spread = (dispersion - 1) / (9 * mean)
    return ((1 - 1 / (9 * least)) * root - (1 - spread)) / math.sqrt(root * root / (9 * least) + spread)


@dataclass(frozen=True)
class Baseline:
    """
    What is expected of one metric.

    :param means: expected count of each phase of the cycle (a weekday), that of the period first; 0 for none known.
    :param dispersion: variance / mean.
    :param effective_periods: periods that the expected count of this phase is as sure as the mean of.
    :param level: the last 14 days as a multiple of what is expected of them; 1 where it is no more than chance.
    :param positions: the baseline periods, as positions in the history, without outliers.
    """

    means: Sequence[float]
    dispersion: float
    effective_periods: float
    level: float
    positions: Sequence[int]

    def score(self, count: int, mean: float) -> float:
        """Return the z-score of a count, as uncertain as the mean itself is."""
        return z_score(count, max(mean, MIN_MEAN), self.dispersion * (1 + 1 / self.effective_periods))

    def expected(self, back: int) -> float:
        """Return the expected count of the period so many before."""
        return self.means[back % len(self.means)]


def baseline_of(values: Sequence[int | None], cycle: int, weekday: int) -> Baseline:
    """
    Return what is expected of a period.

    :param values: the counts of the periods before, newest first; None for one that is not known.
    :param cycle: 7 for days, of which each is expected to be like its weekday; 1 for weeks and months.
    :param weekday: of a day, 0 for Monday.
    """
    phases: list[list[tuple[int, int]]] = [[] for _ in range(cycle)]
    for position, value in enumerate(values, start=1):
        if value is not None:
            phases[position % cycle].append((position, value))
    distances = []
    for phase in phases:
        center = _stabilized(median([value for _, value in phase])) if phase else 0
        distances.append([abs(_stabilized(value) - center) for _, value in phase])
    limit = OUTLIER_Z * _robust_deviation([one for some in distances for one in some])

    sums, numbers, squares, degrees = [0] * cycle, [0] * cycle, 0.0, 0.0
    kept_of: list[list[int]] = []
    for index, (phase, away) in enumerate(zip(phases, distances, strict=True)):
        kept = [one for one, distance in zip(phase, away, strict=True) if distance <= limit]
        # where most would be outliers, it is the median that is none
        kept = kept if 2 * len(kept) > len(phase) else phase
        sums[index], numbers[index] = sum(value for _, value in kept), len(kept)
        kept_of.append([position for position, _ in kept])
        if len(kept) > 1:
            mean = sums[index] / len(kept)
            squares += sum((value - mean) ** 2 for _, value in kept)
            degrees += mean * (len(kept) - 1)
    dispersion = max(DISPERSION, squares / degrees if degrees else 0)
    means = [total / number if number else 0 for total, number in zip(sums, numbers, strict=True)]
    effective: float = numbers[0] or 1
    if cycle == WEEK:
        means, effective = _shrunk(means, sums, numbers, dispersion, weekday)
    level = _level(values, means, kept_of, dispersion) if cycle == WEEK else 1.0
    return Baseline(means, dispersion, effective, level, kept_of[0])


def _shrunk(
    means: Sequence[float], sums: Sequence[int], numbers: Sequence[int], dispersion: float, weekday: int
) -> tuple[list[float], float]:
    """Return the weekdays' means, shrunk towards those of workdays and weekends, and how sure the first one is."""
    groups: list[list[int]] = [[], []]
    for back in range(WEEK):
        groups[(weekday - back) % WEEK >= 5].append(back)
    target, known = [0.0] * WEEK, [0] * WEEK
    for group in groups:
        number = sum(numbers[back] for back in group)
        for back in group:
            known[back] = number
            target[back] = sum(sums[one] for one in group) / number if number else 0
    chi_square = sum(
        (sums[back] - target[back] * numbers[back]) ** 2 / (dispersion * target[back] * numbers[back])
        for back in range(WEEK)
        if target[back] and numbers[back]
    )
    own = max(0.0, 1 - SHRINKAGE / chi_square) if chi_square else 0.0
    shrunk = [
        target[back] + own * (means[back] - target[back]) if numbers[back] else target[back] for back in range(WEEK)
    ]
    return shrunk, 1 / (own**2 / numbers[0] + (1 - own**2) / known[0]) if numbers[0] else known[0] or 1


def _level(
    values: Sequence[int | None], means: Sequence[float], kept_of: Sequence[Sequence[int]], dispersion: float
) -> float:
    """Return the last 14 days as a multiple of what is expected of them, nearer to 1 by half its standard error."""
    recent = [
        (value, means[back % WEEK])
        for back, value in enumerate(values[: 2 * WEEK], start=1)
        if value is not None and back in kept_of[back % WEEK]
    ]
    expected = sum(mean for _, mean in recent)
    if not expected:
        return 1.0
    level = sum(value for value, _ in recent) / expected
    half_error = math.sqrt(dispersion / expected) / 2
    # twice or half as much would be a state, not the level
    return min(2.0, max(1.0, level - half_error)) if level > 1 else max(0.5, min(1.0, level + half_error))


def _stabilized(count: float) -> float:
    """Return a count so that its variance is nearly its dispersion, whatever its mean (Anscombe's transform)."""
    return 2 * math.sqrt(count + 0.375)


def recurrences(count: int, values: Sequence[int | None], cycle: int, *, is_up: bool) -> tuple[int, int]:
    """
    Return how many separate times before a count was nearly as far from its weekday's median, in parts of it and on the
    same side, and for how many periods at most.

    :param count: the period's count.
    :param values: those of the periods before, newest first; None for one that is not known.
    :param cycle: after how many periods one is like another.
    :param is_up: whether the count is anomalously high; where it is on the other side of the median of these periods,
        or that median itself, it was like none of them.
    """
    usual = [
        max(MIN_MEAN, median([value for value in values[(phase or cycle) - 1 :: cycle] if value is not None] or [0]))
        for phase in range(cycle)
    ]
    change = count / usual[0] - 1
    if not change or (change > 0) != is_up:
        return 0, 0
    times = longest = streak = 0
    for back, value in enumerate(values, start=1):
        if value is None:
            continue
        expected = usual[back % cycle]
        is_chance = abs(_stabilized(value) - _stabilized(expected)) < OUTLIER_Z * math.sqrt(DISPERSION)
        is_alike = not is_chance and (value / expected - 1) / change >= RECURRENCE
        streak = streak + 1 if is_alike else 0
        times, longest = times + (streak == 1), max(longest, streak)
    return times, longest


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return quantile(values, 0.5)


def quantile(values: Sequence[float], part: float) -> float:
    """
    Return a quantile, interpolated as PostgreSQL's percentile_cont does.

    :param values: one or more.
    :param part: 0 for the least to 1 for the greatest.
    """
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    lower = int(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (place - lower) * (ordered[upper] - ordered[lower])


def _robust_deviation(distances: Sequence[float]) -> float:
    """Return a standard deviation from the distances to the medians, without the largest seventh of them."""
    ordered = sorted(distances)
    inner = ordered[: len(ordered) - len(ordered) // WEEK]
    variance = sum(one * one for one in inner) / len(inner) / TRIMMED_VARIANCE if inner else 0
    return math.sqrt(max(DISPERSION, variance))
