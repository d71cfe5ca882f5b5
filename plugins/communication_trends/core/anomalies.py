"""
Anomaly detection: the judgement of an organization's period by its own earlier ones. No Airflow in here.

The rule was chosen by measuring false positives and detection (``bench/attention.py``, docs/attention.md). In short:

1. The baseline of a day is the same weekday of the eight weeks before; of a week and a month, the eight before.
2. Baseline periods that are outliers (an incident, an outage, a holiday) are left out.
3. What is left gives the expected count, and all 56 days together the dispersion, which is never taken for less than
   `DISPERSION`.
4. A count is anomalous where a negative binomial count of that mean and dispersion would hardly be so high or low, and
   where the ratio is worth a person's attention.
"""

from __future__ import annotations

import datetime
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from communication_trends.core.anomaly_states import State, find_state, silence_of
from communication_trends.core.anomaly_thresholds import (
    CONTINUING_RATIO,
    DISPERSION,
    HIGH_Z,
    LOW_Z,
    MAX_RATIO,
    MIN_BASELINE,
    MIN_COUNT,
    MIN_MEAN,
    MIN_RATIO,
    MIN_RATIO_SMALL_MEAN,
    MIN_RECURRENCES,
    MIN_SHARE_TOGETHER,
    MIN_SHORT_BASELINE,
    MIN_TOGETHER,
    OVERDISPERSED_Z,
    SCREEN_QUARTILES,
    SCREEN_RATIO,
    SCREEN_RATIO_LOW,
    SCREEN_Z,
    SHARE_Z,
    SMALL_MEAN,
    SMALL_MEAN_Z,
    SURE_COUNT,
    SURE_RATIO,
    VERY_SMALL_MEAN,
)
from communication_trends.core.anomaly_wording import before_text, sentence_of, sentence_of_many, silent_text
from communication_trends.core.baseline import Baseline, baseline_of, cycle_of, median, quantile, recurrences, z_score
from communication_trends.core.counts import METRICS, Counts, History, Metric
from communication_trends.core.period import Period


@dataclass(frozen=True)
class Finding:
    """
    One metric that is anomalous.

    :param figure: the metric's name in the API.
    :param direction: up or down.
    :param value: the metric; of riskScore and negativeTones the share of the messages in percent.
    :param usual_low: what it usually is at least: the lowest of the baseline but one, without outliers.
    :param usual_high: what it usually is at most: the highest but one.
    :param compared_with: how many earlier periods that is about.
    :param score: z-score, without its sign, to order by.
    :param sentence: the same in words.
    :param state: ``single`` for one period; ``lasting``, ``silent`` (no message since) or ``new`` (none known before).
    :param since: first date of the first period of the state.
    :param days: how many of its periods are stored, this one included, without exceptions that do not end it.
    """

    figure: str
    direction: str
    value: int
    usual_low: int
    usual_high: int
    compared_with: int
    score: float
    sentence: str
    state: str
    since: datetime.date
    days: int


@dataclass(frozen=True)
class Together:
    """
    Many organizations that have moved alike.

    :param date: the period's first date.
    :param figure: the metric's name in the API.
    :param direction: up or down.
    :param organizations: how many.
    :param organizations_compared: of how many that could be judged.
    :param since: date by which so many that it is said of all had begun to; who began earlier has reasons of its own.
    :param sentence: the same in words.
    """

    date: datetime.date
    figure: str
    direction: str
    organizations: int
    organizations_compared: int
    since: datetime.date
    sentence: str


SCREEN = {
    "min_baseline": MIN_BASELINE,
    "min_count": MIN_COUNT,
    "screen_variance": SCREEN_Z**2 * DISPERSION,
    "screen_quartiles": SCREEN_QUARTILES,
    "screen_ratio": SCREEN_RATIO,
    "screen_ratio_low": SCREEN_RATIO_LOW,
    "continuing_ratio": CONTINUING_RATIO,
    "sure_count": SURE_COUNT,
}
"""What sql/reading/attention.sql binds, to leave out organizations of which nothing can be anomalous."""


def find_anomalies(current: Counts, history: History, period: Period, risky_topics: Sequence[str]) -> list[Finding]:
    """
    Return what is anomalous about a period, in the order of `METRICS`.

    :param current: its counts.
    :param history: the counts of `history_periods`.
    :param period: which period it is.
    :param risky_topics: those of the settings, for the words.
    """
    cycle = cycle_of(period)
    enough = sum(one is not None for one in history[cycle - 1 :: cycle]) >= MIN_BASELINE
    judge = _judged if enough else _sure
    found = (judge(metric, current, history, period, risky_topics) for metric in METRICS)
    return [one for one in found if one]


def is_suspect(count: int, baseline: Sequence[int], *, sinks: bool = False) -> bool:
    """
    Whether a count may be anomalous by itself: what sql/reading/attention.sql asks of all, with these values.

    :param count: the count.
    :param baseline: those of the stored baseline periods.
    :param sinks: whether it may be anomalously low.
    """
    lower, median, upper = (quantile(baseline, part) for part in (0.25, 0.5, 0.75))
    if (count - median) ** 2 < SCREEN["screen_variance"] * median:
        return False
    if count > median:
        away = SCREEN_QUARTILES * (median - lower)
        return count >= max(MIN_COUNT, SCREEN_RATIO * median, median + away)
    away = SCREEN_QUARTILES * min(median - lower, upper - median)
    return sinks and median >= MIN_COUNT and count <= min(SCREEN_RATIO_LOW * median, median - away)


def may_last(metric: Metric, current: Counts, same: Sequence[Counts]) -> bool:
    """
    Whether a share may still be as high as the day before, among fewer messages than usual.

    sql/reading/attention.sql asks the same.

    :param metric: what is counted.
    :param current: the period's counts.
    :param same: those of the stored baseline periods.
    """
    if not metric.is_share or not metric.says(current) or metric.of(current) < MIN_COUNT:
        return False
    if current.messages >= median([one.messages for one in same]):
        return False
    return metric.rate(current) > CONTINUING_RATIO * median(
        [metric.rate(one) for one in same if metric.says(one)] or [0]
    )


def find_together(found: Iterable[Finding], compared: int, period: Period, named: str = "") -> list[Together]:
    """
    Return what many organizations have in common in a period.

    :param found: what was found in it of those that could be judged, each metric of an organization once.
    :param compared: how many organizations could be judged.
    :param period: the period.
    :param named: what its days are called; nothing where they have no name.
    """
    begun: dict[tuple[str, str], list[datetime.date]] = defaultdict(list)
    for one in found:
        begun[one.figure, one.direction].append(one.since)
    enough = math.ceil(max(MIN_TOGETHER, MIN_SHARE_TOGETHER * compared))
    return [
        Together(
            period.first_date,
            figure,
            direction,
            len(dates),
            compared,
            sorted(dates)[enough - 1],
            sentence_of_many(figure, direction, len(dates), compared, named),
        )
        for (figure, direction), dates in begun.items()
        if len(dates) >= enough
    ]


def still_silent(finding: Finding, period: Period, more: int) -> Finding:
    """
    Return a silence of a period as of a later one, on which it is no anomaly by itself.

    :param finding: the silence.
    :param period: the period that it was found in.
    :param more: how many periods have been stored since then.
    """
    days = finding.days + more
    # what is usual is that of the period, whatever baseline it was found with
    _, usual = finding.sentence.split("; ", 1)
    sentence = f"{silent_text(period.kind.containing(finding.since), days)}; {usual}"
    return replace(finding, days=days, sentence=sentence)


def _judged(
    metric: Metric, current: Counts, history: History, period: Period, risky_topics: Sequence[str]
) -> Finding | None:
    """Return whether one metric is anomalous, of an organization with enough history."""
    cycle, count = cycle_of(period), metric.of(current)
    same = [one for one in history[cycle - 1 :: cycle] if one is not None]
    suspect = is_suspect(count, [metric.of(one) for one in same], sinks=metric.sinks)
    if not suspect and not may_last(metric, current, same):
        return None
    values = [None if one is None else metric.of(one) for one in history]
    weekday = period.first_date.weekday()
    baseline = baseline_of(values, cycle, weekday)
    is_up = not metric.sinks or count > median([metric.of(one) for one in same])
    score = _event_score(metric, current, same, baseline, is_up=is_up) if suspect else None
    state = find_state(metric, current, history, weekday, cycle, is_up=is_up)
    if (score is None and state is None) or (suspect and _is_habit(count, values, cycle, state, is_up=is_up)):
        return None
    back, periods, state_score = 0, 1, 0.0
    if state:
        back, periods, state_score, baseline = state.back, state.periods, state.score, state.baseline
    usual_days = [one for position in baseline.positions if (one := history[position - 1]) and metric.says(one)]
    if not usual_days:
        return None
    shown = [metric.shown(one) for one in usual_days]
    # outliers are no more usual than they are expected
    usual = sorted(shown)[1:-1] if len(shown) > 2 else sorted(shown)
    low, high, value = usual[0], usual[-1], metric.shown(current)
    # "10%, usually 7 to 10%", of many more messages than usual: these are what is anomalous
    if metric.is_share and not state and value <= high:
        return None
    before = [one for one in values[back:] if one is not None]
    kind = "lasting" if periods > 1 else "single"
    if is_up and before and not any(before):
        kind = "new"
    elif not is_up and not count:
        kind = "silent"
        back, periods = silence_of(history, cycle)
    since = period.earlier(back)[-1] if back else period
    sentence = sentence_of(
        metric, value, (low, high), period, since, periods, kind, risky_topics, is_up=is_up, known_before=len(before)
    )
    return Finding(
        metric.name,
        "up" if is_up else "down",
        value,
        low,
        high,
        len(same),
        max(abs(score or 0), abs(state_score)),
        sentence,
        kind,
        since.first_date,
        periods,
    )


def _is_habit(count: int, values: Sequence[int | None], cycle: int, state: State | None, *, is_up: bool) -> bool:
    """Return whether a count has been like this time and again, and for half as long as now."""
    begun = state.back if state else 0
    before = [None if back < begun else one for back, one in enumerate(values)]
    times, longest = recurrences(count, before, cycle, is_up=is_up)
    return times >= MIN_RECURRENCES and (state is None or state.periods <= 2 * longest)


def _event_score(
    metric: Metric, current: Counts, same: Sequence[Counts], baseline: Baseline, *, is_up: bool
) -> float | None:
    """Return the z-score of a period that is anomalous by itself."""
    count, mean = metric.of(current), baseline.means[0]
    if not is_up:
        expected = mean * min(1, baseline.level)
        score = baseline.score(count, expected)
        return score if count <= MAX_RATIO * expected and score <= -LOW_Z else None
    expected = mean * max(1, baseline.level)
    ratio = MIN_RATIO if expected >= SMALL_MEAN else MIN_RATIO_SMALL_MEAN
    limit = HIGH_Z + OVERDISPERSED_Z * min(1, baseline.dispersion / DISPERSION - 1)
    if expected < VERY_SMALL_MEAN:
        limit += SMALL_MEAN_Z
    score = baseline.score(count, expected)
    if count < ratio * expected or score < limit:
        return None
    # twice the complaints among twice the messages are no risk: the messages are what is unusual
    if metric.is_share:
        share = median([metric.rate(one) for one in same if metric.says(one)] or [0])
        if baseline.score(count, share * current.messages) < SHARE_Z:
            return None
    return score


def _sure(metric: Metric, current: Counts, history: History, period: Period, _: Sequence[str]) -> Finding | None:
    """Return whether one metric is anomalous beyond doubt, of an organization with too little history for the rule."""
    count = metric.of(current)
    back, periods = silence_of(history, cycle_of(period)) if metric.sinks and not count else (0, 1)
    # an empty day before it belongs to it, also that of a weekday with few messages
    while metric.sinks and not count and back < len(history) and (one := history[back]) and not metric.of(one):
        back, periods = back + 1, periods + 1
    known = [metric.of(one) for one in history[back:] if one is not None]
    if len(known) < MIN_SHORT_BASELINE[period.kind.name]:
        return None
    least, most = min(known), max(known)
    since = period.earlier(back)[-1] if back else period
    if metric.sinks and not count and least >= SURE_COUNT:
        said = "no messages" if periods == 1 else silent_text(since, periods)
        sentence = f"{said}; at least {least:,} {before_text('each', len(known), period)}"
        kind, direction, mean = "silent", "down", sum(known) / len(known)
    elif metric.attribute == "alerts" and count >= max(SURE_COUNT, SURE_RATIO * most):
        before = f"at most {most:,}" if most else "none"
        sentence = f"{count:,} alerts; {before} {before_text('each' if most else 'any', len(known), period)}"
        kind, direction, mean = "single" if most else "new", "up", max(MIN_MEAN, sum(known) / len(known))
    else:
        return None
    score = abs(z_score(count, mean, DISPERSION * 2))
    return Finding(
        metric.name,
        direction,
        count,
        least,
        most,
        len(known),
        score,
        sentence,
        kind,
        since.first_date,
        periods,
    )
