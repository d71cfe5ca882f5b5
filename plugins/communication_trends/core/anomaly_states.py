"""States: counts that have been above or below usual for several periods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from communication_trends.core.anomaly_thresholds import (
    CONTINUING_RATIO,
    CONTINUING_RATIO_LOW,
    MAX_RATIO,
    MIN_MEAN,
    MIN_RATIO,
    MIN_STATE_PERIODS,
    STATE_Z,
)
from communication_trends.core.baseline import Baseline, baseline_of, median, z_score
from communication_trends.core.counts import Counts, History, Metric


@dataclass(frozen=True)
class State:
    """
    A state.

    :param back: how many periods ago it began.
    :param periods: how many of it are stored.
    :param score: its z-score.
    :param baseline: what was usual before it.
    """

    back: int
    periods: int
    score: float
    baseline: Baseline


def find_state(
    metric: Metric, current: Counts, history: History, weekday: int, cycle: int, *, is_up: bool
) -> State | None:
    """
    Return the state that a period continues; None where it continues none.

    It goes back as long as periods are on the same side of their weekday's median; one alone that is not does not end
    it. Of such a run, it began where the z-score of all since then is the highest. The run's own periods are no part of
    the baseline that it is compared with. So it has become usual on the day on which the median of the eight is of the
    new level, in its fifth week.

    :param metric: what is counted.
    :param current: the period's counts.
    :param history: those of the periods before it, newest first.
    :param weekday: of a day, 0 for Monday.
    :param cycle: after how many periods one is like another.
    :param is_up: whether the state is one of more.
    """
    everything = (current, *history)
    run = _same_side(metric, everything, cycle, is_up=is_up)
    if len(run) < MIN_STATE_PERIODS:
        return None
    before = [None if back <= run[-1] else one for back, one in enumerate(everything)][1:]
    baseline = baseline_of([None if one is None else metric.of(one) for one in before], cycle, weekday)
    if not baseline.positions:
        return None
    messages = sum(one.messages for position in baseline.positions if (one := before[position - 1]))
    counted = sum(metric.of(one) for position in baseline.positions if (one := before[position - 1]))
    total, mean, number, best = 0, 0.0, 0, None
    for back, counts in enumerate(everything[: run[-1] + 1]):
        if counts is None:
            continue
        # the share is what lasts, not a count that goes with the messages
        usual = counts.messages * counted / messages if metric.is_share and messages else baseline.expected(back)
        total, mean = total + metric.of(counts), mean + max(MIN_MEAN, usual)
        if back not in run:
            continue
        number += 1
        score = z_score(total, mean, baseline.dispersion * (1 + number / len(history)))
        is_state = (
            total >= MIN_RATIO * mean and score >= STATE_Z if is_up else total <= MAX_RATIO * mean and score <= -STATE_Z
        )
        if number >= MIN_STATE_PERIODS and is_state and (best is None or abs(score) >= abs(best.score)):
            best = State(back, number, score, baseline)
    return best


def _same_side(metric: Metric, everything: History, cycle: int, *, is_up: bool) -> list[int]:
    """Return how many periods ago each was that is on the same side of its weekday's median, without a break."""
    medians = [
        median([metric.rate(one) for one in everything[phase or cycle :: cycle] if one is not None] or [0])
        for phase in range(cycle)
    ]
    run: list[int] = []
    last_known = 0
    for back, counts in enumerate(everything):
        if counts is None:
            continue
        usual = medians[back % cycle] * (counts.messages if metric.is_share else 1)
        count = metric.of(counts)
        if count > CONTINUING_RATIO * usual if is_up else count <= CONTINUING_RATIO_LOW * usual:
            run.append(back)
        elif not run or last_known != run[-1]:
            break
        last_known = back
    return run


def silence_of(values: Sequence[int | None]) -> tuple[int, int]:
    """
    Return since how many periods nothing is stored but zero, and how many of them are, the current one included.

    :param values: the counts of the periods before, newest first; None for one that is not known.
    """
    first, number = 0, 1
    for back, value in enumerate(values, start=1):
        if value:
            break
        if value == 0:
            first, number = back, number + 1
    return first, number
