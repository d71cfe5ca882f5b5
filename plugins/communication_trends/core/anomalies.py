"""
What is unusual for a tenant: a period against the organization's own earlier ones. No Airflow in here.

The rule was chosen by measuring false alarms and detection (``bench/attention.py``, docs/attention.md). In short:

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
from dataclasses import dataclass
from typing import NamedTuple

from communication_trends.core.period import DAILY, Period
from communication_trends.core.totals import rounded

BASELINE_PERIODS = 8
"""Periods that one is compared with: of days, the same weekday of so many weeks before."""

MIN_BASELINE = 6
"""How many of them must be stored; with fewer, only what is sure is said (`MIN_SHORT_BASELINE`)."""

DISPERSION = 1.3
"""Variance of a count as a multiple of its mean, at least: a little more than Poisson's."""

OUTLIER_Z = 3.0
"""Standard deviations from its weekday's median beyond which a baseline period is left out."""

HIGH_Z = 2.2
"""z-score from which a count is anomalously high, where the dispersion is `DISPERSION` and the mean no small one."""

OVERDISPERSED_Z = 1.3
"""What is added to `HIGH_Z` where the baseline's own dispersion is twice `DISPERSION` or more; in between, a part."""

SMALL_MEAN_Z = 0.8
"""What is added to `HIGH_Z` where the expected count is below `VERY_SMALL_MEAN`: there are many small counts."""

VERY_SMALL_MEAN = 8

MIN_RATIO = 1.5
"""Smallest ratio to the expected count at which more is worth a person's attention, however certain it is."""

MIN_RATIO_SMALL_MEAN = 2.0
"""`MIN_RATIO` where the expected count is below `SMALL_MEAN`."""

SMALL_MEAN = 26

LOW_Z = 3.2
"""z-score below zero from which messages are anomalously few."""

MAX_RATIO = 0.5
"""Largest ratio to the expected count at which fewer messages are worth attention."""

SHARE_Z = 1.6
"""z-score against the usual share of the period's own messages, which the count of a share must have as well."""

MIN_COUNT = 5
"""Fewer of anything are never anomalously many; and where fewer messages are usual, they are never too few."""

SCREEN_Z = 1.6
"""Standard deviations, for `DISPERSION`, that a count is at least away from the baseline's median."""

SCREEN_QUARTILES = 1.8
"""
Distances of a quartile of the baseline from its median that it is at least away: 1.2 standard deviations.

It is the lower quartile for a count of many, since incidents and states of more change the upper one; for few messages,
the nearer one.
"""

SCREEN_RATIO = 1.4
"""Smallest ratio to the median of a count that may be anomalously high."""

SCREEN_RATIO_LOW = 0.6
"""Largest ratio to the median of one that may be anomalously low."""

CONTINUING_RATIO = 1.25
"""Ratio to its weekday's median above which a period continues a state of more."""

CONTINUING_RATIO_LOW = 0.75
"""Ratio up to which it continues a state of less."""

STATE_Z = 6.0
"""z-score of the sum of a state's periods."""

MIN_STATE_PERIODS = 2
"""Periods from which something lasts."""

MIN_SHORT_BASELINE = {"daily": 7, "weekly": 3, "monthly": 3}
"""Stored periods from which something sure is said where the baseline is too short for the rule."""

SURE_COUNT = 10
"""Alerts from which, and messages a period up to which, something is sure after a short baseline."""

SURE_RATIO = 5
"""How many times the most there has ever been in a short baseline alerts must be."""

SHRINKAGE = 6.0
"""
How far a weekday's mean is shrunk towards that of Monday to Friday, or of the weekend: by this, divided by the
chi-square statistic of the weekdays' differences, which chance alone would make as large (James and Stein).
"""

MIN_TOGETHER = 5
"""Organizations that must have moved alike for it to be said once of all of them."""

MIN_SHARE_TOGETHER = 0.1
"""The same as a share of those that could be judged."""

MIN_MEAN = 0.25
"""What is expected at least: of what has never been seen in eight weeks, one could have been."""

TRIMMED_VARIANCE = 0.534
"""Variance of a standard normal variable without the seventh of it that is farthest from its mean."""

WEEK = 7

PLURALS = {"complaint": "complaints", "escalation": "escalations", "request": "requests"}
"""Topics that can be counted, as a sentence has them; others have their own name."""


class Counts(NamedTuple):
    """
    What is looked at of one organization and period: many of them are made, and a tuple is made quickly.

    :param messages: classified messages.
    :param risky: those of a risky topic.
    :param alerts: escalation alerts.
    :param negative: messages in an angry or frustrated tone.
    """

    messages: int
    risky: int
    alerts: int
    negative: int


History = Sequence[Counts | None]
"""The periods before one, newest first; None for one that is not stored, not readable or not final."""


@dataclass(frozen=True)
class Metric:
    """
    A count that is looked at.

    :param name: its name in the API.
    :param attribute: its name in `Counts`.
    :param is_share: whether it is said as a share of the messages.
    :param sinks: whether few of it are anomalous too.
    """

    name: str
    attribute: str
    is_share: bool = False
    sinks: bool = False

    def of(self, counts: Counts) -> int:
        """Return it."""
        return getattr(counts, self.attribute)


METRICS = (
    Metric("escalations", "alerts"),
    Metric("riskScore", "risky", is_share=True),
    Metric("negativeTones", "negative", is_share=True),
    Metric("totalClassifications", "messages", sinks=True),
)
"""All of them, in the order in which a person needs them: who is in trouble before who is busy."""


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
    :param state: ``single`` for one period; ``lasting``, ``silent`` (no message since) or ``new`` (none before).
    :param since: first date of the first period of the state.
    :param days: how many of its periods are stored, this one included.
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
    :param sentence: the same in words.
    """

    date: datetime.date
    figure: str
    direction: str
    organizations: int
    organizations_compared: int
    sentence: str


_NAMES = {
    "escalations": "alerts",
    "riskScore": "risk",
    "negativeTones": "angry and frustrated messages",
    "totalClassifications": "messages",
}

SCREEN = {
    "min_baseline": MIN_BASELINE,
    "min_count": MIN_COUNT,
    "screen_variance": SCREEN_Z**2 * DISPERSION,
    "screen_quartiles": SCREEN_QUARTILES,
    "screen_ratio": SCREEN_RATIO,
    "screen_ratio_low": SCREEN_RATIO_LOW,
    "sure_count": SURE_COUNT,
}
"""What sql/web/attention.sql binds, to leave out organizations of which nothing can be anomalous."""


def baseline_periods(period: Period) -> list[Period]:
    """Return the periods that one is compared with, newest first."""
    step = _cycle(period)
    return period.earlier(BASELINE_PERIODS * step)[step - 1 :: step]


def history_periods(period: Period) -> list[Period]:
    """Return all periods that are read to judge one, newest first: of a day, all days of the eight weeks before."""
    return period.earlier(BASELINE_PERIODS * _cycle(period))


def find_anomalies(current: Counts, history: History, period: Period, risky_topics: Sequence[str]) -> list[Finding]:
    """
    Return what is anomalous about a period, in the order of `METRICS`.

    :param current: its counts.
    :param history: the counts of `history_periods`.
    :param period: which period it is.
    :param risky_topics: those of the settings, for the words.
    """
    cycle = _cycle(period)
    enough = sum(one is not None for one in history[cycle - 1 :: cycle]) >= MIN_BASELINE
    judge = _judged if enough else _sure
    found = (judge(metric, current, history, period, risky_topics) for metric in METRICS)
    return [one for one in found if one]


def is_suspect(count: int, baseline: Sequence[int], *, sinks: bool = False) -> bool:
    """
    Whether a count may be anomalous at all: what sql/web/attention.sql asks of all organizations, with these values.

    :param count: the count.
    :param baseline: those of the stored baseline periods.
    :param sinks: whether it may be anomalously low.
    """
    lower, median, upper = (_quantile(baseline, part) for part in (0.25, 0.5, 0.75))
    if (count - median) ** 2 < SCREEN["screen_variance"] * median:
        return False
    if count > median:
        away = SCREEN_QUARTILES * (median - lower)
        return count >= max(MIN_COUNT, SCREEN_RATIO * median, median + away)
    away = SCREEN_QUARTILES * min(median - lower, upper - median)
    return sinks and median >= MIN_COUNT and count <= min(SCREEN_RATIO_LOW * median, median - away)


def find_together(found: Iterable[Finding], compared: int, period: Period, named: str = "") -> list[Together]:
    """
    Return what many organizations have in common in a period.

    :param found: what was found in it, each metric of an organization once.
    :param compared: how many organizations could be judged.
    :param period: the period.
    :param named: what its days are called; nothing where they have no name.
    """
    numbers: dict[tuple[str, str], int] = defaultdict(int)
    for one in found:
        numbers[one.figure, one.direction] += 1
    return [
        Together(
            period.first_date,
            figure,
            direction,
            number,
            compared,
            f"{number:,} of {compared:,} organizations: {_NAMES[figure]} far "
            f"{'above' if direction == 'up' else 'below'} usual; "
            f"{named or 'a holiday, a release or the platform?'}",
        )
        for (figure, direction), number in numbers.items()
        if number >= max(MIN_TOGETHER, MIN_SHARE_TOGETHER * compared)
    ]


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
    :param kept: the baseline periods, as positions in the history, without outliers.
    """

    means: Sequence[float]
    dispersion: float
    effective_periods: float
    level: float
    kept: Sequence[int]

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
        center = _stabilized(_median([value for _, value in phase])) if phase else 0
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


def _judged(
    metric: Metric, current: Counts, history: History, period: Period, risky_topics: Sequence[str]
) -> Finding | None:
    """Return whether one metric is anomalous, of an organization with enough history."""
    cycle, count = _cycle(period), metric.of(current)
    same = [one for one in history[cycle - 1 :: cycle] if one is not None]
    if not is_suspect(count, [metric.of(one) for one in same], sinks=metric.sinks):
        return None
    values = [None if one is None else metric.of(one) for one in history]
    weekday = period.first_date.weekday()
    baseline = baseline_of(values, cycle, weekday)
    is_up = count > _median([metric.of(one) for one in same])
    score = _event_score(metric, current, same, baseline, is_up=is_up)
    state = _state(metric, current, history, weekday, cycle, is_up=is_up)
    if score is None and state is None:
        return None
    back, periods, state_score = 0, 1, 0.0
    if state:
        back, periods, state_score, baseline = state.back, state.periods, state.score, state.baseline
    shown = [_shown(metric, one) for position in baseline.kept if (one := history[position - 1])]
    # outliers are no more usual than they are expected
    usual = sorted(shown)[1:-1] if len(shown) > 2 else sorted(shown)
    low, high, value = usual[0], usual[-1], _shown(metric, current)
    before = [one for one in values[back:] if one is not None]
    kind = "lasting" if periods > 1 else "single"
    if is_up and before and not any(before):
        kind = "new"
    elif not is_up and not count:
        kind = "silent"
        back, periods = _silence(values)
    since = period.earlier(back)[-1] if back else period
    sentence = _sentence(metric, value, (low, high), period, since, periods, kind, risky_topics, is_up=is_up)
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
        share = _median([_rate(metric, one) for one in same])
        if baseline.score(count, share * current.messages) < SHARE_Z:
            return None
    return score


@dataclass(frozen=True)
class _State:
    """How many periods ago a state began, how many of it are stored, its z-score, and what was usual before it."""

    back: int
    periods: int
    score: float
    baseline: Baseline


def _state(
    metric: Metric, current: Counts, history: History, weekday: int, cycle: int, *, is_up: bool
) -> _State | None:
    """
    Return the state that a period continues.

    It goes back as long as periods are on the same side of their weekday's median; one alone that is not does not end
    it. Of such a run, it began where the z-score of all since then is the highest. The run's own periods are no part of
    the baseline that it is compared with. So it has become usual on the day on which the median of the eight is of the
    new level, in its fifth week.
    """
    everything = (current, *history)
    medians = [
        _median([_rate(metric, one) for one in everything[phase or cycle :: cycle] if one is not None] or [0])
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
    if len(run) < MIN_STATE_PERIODS:
        return None
    before = [None if back <= run[-1] else one for back, one in enumerate(everything)][1:]
    baseline = baseline_of([None if one is None else metric.of(one) for one in before], cycle, weekday)
    if not baseline.kept:
        return None
    messages = sum(one.messages for position in baseline.kept if (one := before[position - 1]))
    counted = sum(metric.of(one) for position in baseline.kept if (one := before[position - 1]))
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
            best = _State(back, number, score, baseline)
    return best


def _rate(metric: Metric, counts: Counts) -> float:
    """Return a count; of a share, that share."""
    if not metric.is_share:
        return metric.of(counts)
    return metric.of(counts) / counts.messages if counts.messages else 0


def _silence(values: Sequence[int | None]) -> tuple[int, int]:
    """Return since how many periods nothing is stored but zero, and how many of them are, the present one included."""
    first, number = 0, 1
    for back, value in enumerate(values, start=1):
        if value:
            break
        if value == 0:
            first, number = back, number + 1
    return first, number


def _sure(metric: Metric, current: Counts, history: History, period: Period, _: Sequence[str]) -> Finding | None:
    """Return whether one metric is anomalous beyond doubt, of an organization with too little history for the rule."""
    known = [metric.of(one) for one in history if one is not None]
    count = metric.of(current)
    if len(known) < MIN_SHORT_BASELINE[period.kind.name]:
        return None
    least, most = min(known), max(known)
    noun = period.kind.noun
    if metric.sinks and not count and least >= SURE_COUNT:
        sentence = f"no messages; at least {least:,} on each of the {len(known)} {noun}s before"
        kind, direction, mean = "silent", "down", sum(known) / len(known)
    elif metric.attribute == "alerts" and count >= max(SURE_COUNT, SURE_RATIO * most):
        before = f"at most {most:,} on each" if most else "none on any"
        sentence = f"{count:,} alerts; {before} of the {len(known)} {noun}s before"
        kind, direction, mean = "single" if most else "new", "up", max(MIN_MEAN, sum(known) / len(known))
    else:
        return None
    score = abs(z_score(count, mean, DISPERSION * 2))
    return Finding(metric.name, direction, count, least, most, len(known), score, sentence, kind, period.first_date, 1)


def _sentence(
    metric: Metric,
    value: int,
    usual: tuple[int, int],
    period: Period,
    since: Period,
    periods: int,
    kind: str,
    risky_topics: Sequence[str],
    *,
    is_up: bool,
) -> str:
    nouns = {
        "escalations": "alerts",
        "riskScore": f"of the messages are {_risky(risky_topics)}",
        "negativeTones": "of the messages are angry or frustrated",
        "totalClassifications": "messages",
    }
    noun = nouns[metric.name]
    unit = "%" if metric.is_share else ""
    low, high = usual
    usually = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    singular = noun[:-1] if value == 1 and not metric.is_share else noun
    said = f"{value:,}{unit} {singular}; {_when(period)} usually {usually}{unit}"
    if periods == 1:
        return said
    date = f"{since.first_date.day} {since.first_date:%b}"
    lasting = f"{periods:,} {period.kind.noun}s"
    if kind == "silent":
        return f"silent since {date}, {lasting}; {_when(period)} usually {usually} {noun}"
    if kind == "new":
        return f"{value:,}{unit} {singular}; new since {date}, none before"
    return f"{said}; {'above' if is_up else 'below'} usual for {lasting}, since {date}"


def _shown(metric: Metric, counts: Counts) -> int:
    """Return a metric as it is said: a share in percent, or the count."""
    count = metric.of(counts)
    return (rounded(100 * count, counts.messages) or 0) if metric.is_share else count


def _cycle(period: Period) -> int:
    """Return after how many periods one is like another: days after a week, weeks and months after one."""
    return WEEK if period.kind is DAILY else 1


def _stabilized(count: float) -> float:
    """Return a count so that its variance is nearly its dispersion, whatever its mean (Anscombe's transform)."""
    return 2 * math.sqrt(count + 0.375)


def _median(values: Sequence[float]) -> float:
    return _quantile(values, 0.5)


def _quantile(values: Sequence[float], part: float) -> float:
    """Return a quantile, interpolated as PostgreSQL's percentile_cont does."""
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


def _risky(topics: Sequence[str]) -> str:
    """Say which messages are risky: complaints or escalations, unless the settings name other topics."""
    names = [PLURALS.get(topic, topic.replace("_", " ")) for topic in topics]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _when(period: Period) -> str:
    if period.kind is DAILY:
        return f"on {period.first_date:%A}s"
    return f"in the {period.kind.noun}s before"
