"""States: counts that have been above or below usual for several periods."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from communication_trends.core.anomaly_thresholds import (
    CONTINUING_RATIO,
    CONTINUING_RATIO_LOW,
    MAX_RATIO,
    MIN_MEAN,
    MIN_RATIO,
    MIN_STATE_PERIODS,
    QUIET_SHARE,
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
    it, and a weekday with hardly any messages says nothing of it. Of such a run, it began where the z-score of all
    since then is the highest. The run's own periods are no part of the baseline that it is compared with. So it has
    become usual on the day on which the median of the eight is of the new level, in its fifth week.

    :param metric: what is counted.
    :param current: the period's counts.
    :param history: those of the periods before it, newest first.
    :param weekday: of a day, 0 for Monday.
    :param cycle: after how many periods one is like another.
    :param is_up: whether the state is one of more.
    """
    everything = (current, *history)
    run = _run(metric, everything, cycle, is_up=is_up)
    if len(run) < MIN_STATE_PERIODS or run[0]:
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


def is_over(metric: Metric, current: Counts, history: History, cycle: int, *, is_up: bool) -> bool:
    """
    Return whether a state ends with a period: it and the one before it continue none, and the one before these does.

    :param metric: what is counted.
    :param current: the period's counts.
    :param history: those of the periods before it, newest first.
    :param cycle: after how many periods one is like another.
    :param is_up: whether the state was one of more.
    """
    sides = list(_sides(metric, (current, *history), cycle, is_up=is_up))
    return [back for back, _ in sides[:1]] == [0] and [is_same for _, is_same in sides[:3]] == [False, False, True]


def quiet_phases(history: History, cycle: int) -> set[int]:
    """Return the weekdays with hardly any messages, by how many days before the current one they are."""
    stored = {
        phase: [one.messages for one in history[(phase or cycle) - 1 :: cycle] if one is not None]
        for phase in range(cycle)
    }
    usual = {phase: median(messages) for phase, messages in stored.items() if messages}
    return {phase for phase, messages in usual.items() if messages < QUIET_SHARE * max(usual.values())}


def silence_of(history: History, cycle: int) -> tuple[int, int]:
    """
    Return since how many periods nothing has come, and how many of them are stored, the current one included.

    It begins on a day on which something usually comes.

    :param history: the periods before, newest first.
    :param cycle: after how many periods one is like another.
    """
    length = next((back for back, counts in enumerate(history) if counts and counts.messages), len(history))
    # the silence itself does not say on which weekdays nothing comes
    quiet = quiet_phases([None] * length + list(history[length:]), cycle)
    first, number, stored = 0, 1, 1
    for back, counts in enumerate(history[:length], start=1):
        if counts is None:
            continue
        stored += 1
        if back % cycle not in quiet:
            first, number = back, stored
    return first, number


def _run(metric: Metric, everything: History, cycle: int, *, is_up: bool) -> list[int]:
    """Return how many periods ago each was that is on the same side, without a break of two."""
    run: list[int] = []
    was_same = True
    for back, is_same in _sides(metric, everything, cycle, is_up=is_up):
        if is_same:
            run.append(back)
        elif not run or not was_same:
            break
        was_same = is_same
    return run


def _sides(metric: Metric, everything: History, cycle: int, *, is_up: bool) -> Iterator[tuple[int, bool]]:
    """Return of each period that says something how many periods ago it was, and whether it continues a state."""
    medians = [
        median([metric.rate(one) for one in everything[phase or cycle :: cycle] if one and metric.says(one)] or [0])
        for phase in range(cycle)
    ]
    quiet = quiet_phases(everything[1:], cycle)
    for back, counts in enumerate(everything):
        if counts is None or not metric.says(counts):
            continue
        usual = medians[back % cycle] * (counts.messages if metric.is_share else 1)
        count = metric.of(counts)
        is_same = count > CONTINUING_RATIO * usual if is_up else count <= CONTINUING_RATIO_LOW * usual
        if back % cycle not in quiet or (is_same and count):
            yield back, is_same
