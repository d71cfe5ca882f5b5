"""The rule for anomalies, with numbers by hand."""

from __future__ import annotations

import datetime
import random
from dataclasses import replace

import pytest

from communication_trends.core.anomalies import find_anomalies, find_together, is_suspect, may_last
from communication_trends.core.anomaly_states import is_over
from communication_trends.core.anomaly_thresholds import DISPERSION
from communication_trends.core.baseline import baseline_of, baseline_periods, history_periods, recurrences, z_score
from communication_trends.core.counts import METRICS, Counts
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY, Period

TUESDAY = Period(DAILY, datetime.date(2026, 11, 3))
RISKY = ["complaint", "escalation"]
ORDINARY = Counts(messages=100, risky=8, alerts=2, negative=12)
VOLUME, RISK, ALERTS, TONES = "totalClassifications", "riskScore", "escalations", "negativeTones"


def history(*changes: tuple[int, Counts | None], ordinary: Counts | None = ORDINARY, days: int = 56):
    """Return days before one, newest first, all alike but those so many days before."""
    days_before = [ordinary] * days
    for back, counts in changes:
        days_before[back - 1] = counts
    return days_before


def found(current: Counts, before, period: Period = TUESDAY):
    return {one.figure: one for one in find_anomalies(current, before, period, RISKY)}


@pytest.mark.parametrize(
    ("count", "mean", "dispersion", "by_hand"),
    [
        # root = 2^(1/3) = 1.259921, spread = 0.3 / 270 = 0.001111:
        # (1.259921 * 539/540 - 0.998889) / sqrt(1.587401 / 540 + 0.001111) = 0.258699 / 0.063647
        (60, 30, 1.3, 4.0646),
        # one more below: root = (30/100)^(1/3) = 0.669433, spread = 0.3 / 900:
        # (0.669433 * 269/270 - 0.999667) / sqrt(0.448140 / 270 + 0.000333) = -0.332713 / 0.044645
        (29, 100, 1.3, -7.4525),
    ],
)
def test_z_scores_by_hand(count, mean, dispersion, by_hand):
    assert z_score(count, mean, dispersion) == pytest.approx(by_hand, abs=0.0005)


@pytest.mark.parametrize(("mean", "dispersion", "count"), [(10, 1.3, 22), (30, 2, 50), (100, 6, 170), (40, 1.3, 17)])
def test_z_scores_are_those_of_the_exact_tail(mean, dispersion, count):
    """The tail is added up term by term: r = mean / (dispersion - 1), p = 1 / dispersion."""
    r, p = mean / (dispersion - 1), 1 / dispersion
    term, below = p**r, 0.0
    for number in range(count + (count <= mean)):
        below += term
        term *= (number + r) / (number + 1) * (1 - p)
    from statistics import NormalDist

    assert z_score(count, mean, dispersion) == pytest.approx(NormalDist().inv_cdf(below), abs=0.06)


def test_what_is_read_for_a_period():
    assert [one.first_date for one in baseline_periods(TUESDAY)][:2] == [
        datetime.date(2026, 10, 27),
        datetime.date(2026, 10, 20),
    ]
    assert len(baseline_periods(TUESDAY)) == 8
    assert len(history_periods(TUESDAY)) == 56
    for granularity in (WEEKLY, MONTHLY):
        period = granularity.containing(TUESDAY.first_date)
        assert history_periods(period) == baseline_periods(period) == period.earlier(8)


def test_one_incident_in_the_baseline_hides_nothing():
    """Seven ordinary Tuesdays and an incident; today is another one."""
    before = history((14, Counts(250, 90, 40, 60)))
    findings = found(Counts(240, 80, 38, 12), before)
    assert set(findings) == {ALERTS, RISK, VOLUME}
    assert findings[ALERTS].sentence == "38 alerts; on Tuesdays usually 2"
    assert findings[RISK].sentence == "33% of the messages are complaints or escalations; on Tuesdays usually 8%"
    assert findings[VOLUME].sentence == "240 messages; on Tuesdays usually 100"
    assert all((one.state, one.days, one.since) == ("single", 1, TUESDAY.first_date) for one in findings.values())
    # in the order in which a person needs them
    assert list(findings) == [ALERTS, RISK, VOLUME]


def test_a_holiday_in_the_baseline_hides_no_fall():
    findings = found(Counts(14, 1, 0, 1), history((7, Counts(15, 1, 0, 1))))
    assert {one.figure: one.direction for one in findings.values()} == {VOLUME: "down"}
    assert findings[VOLUME].sentence == "14 messages; on Tuesdays usually 100"


def test_the_outlier_is_left_out_of_mean_and_dispersion():
    """Seven times 30 and once 90: the mean is 30, not 37.5."""
    values: list[int | None] = [30] * 56
    values[13] = 90
    baseline = baseline_of(values, 7, weekday=1)
    assert baseline.means[0] == 30
    assert baseline.dispersion == DISPERSION
    assert baseline.positions == [7, 21, 28, 35, 42, 49, 56]
    assert baseline.level == 1


def test_a_weekday_is_shrunk_only_as_far_as_its_difference_may_be_chance():
    """Monday to Friday all alike but one: 7 × 8 = 56 days."""
    weekday = 1  # today is a Tuesday: one day before is a Monday, six before a Wednesday
    values: list[int | None] = [100 if (weekday - back) % 7 < 5 else 50 for back in range(1, 57)]
    for back in range(7, 57, 7):
        values[back - 1] = 130
    # workdays (4 * 800 + 1040) / 40 = 106; chi-square: (1040 - 848)² / 848 / 1.3 + 4 * (800 - 848)² / 848 / 1.3
    # = 33.440 + 8.360 = 41.800; so 1 - 6 / 41.800 = 0.85646 of the difference of 24 is left
    assert baseline_of(values, 7, weekday).means[0] == pytest.approx(106 + 0.85646 * 24, abs=0.01)
    # a difference as small as chance makes it: (100 + 4 * 98) / 5 = 98.4 of each
    values = [98 if (weekday - back) % 7 < 5 else 50 for back in range(1, 57)]
    for back in range(7, 57, 7):
        values[back - 1] = 100
    assert baseline_of(values, 7, weekday).means[0] == pytest.approx(98.4)


def test_growth_raises_what_is_expected():
    """50 a day for six weeks and 60 for two: the level of 1.14 is no more than chance with few, and is with many."""
    few = baseline_of([60] * 14 + [50] * 42, 7, weekday=1)
    # the mean is (2 * 60 + 6 * 50) / 8 = 52.5, so 60 / 52.5 - sqrt(1.3 / 735) / 2 = 1.14286 - 0.02103
    assert few.means[0] == pytest.approx(52.5)
    assert few.level == pytest.approx(1.12183, abs=0.0001)


@pytest.mark.parametrize(
    ("current", "is_named"),
    [
        (Counts(100, 8, 2, 12), False),
        (Counts(149, 8, 2, 12), False),  # less than 1.5 times
        (Counts(150, 8, 2, 12), True),
        (Counts(51, 4, 2, 6), False),
        (Counts(50, 4, 2, 6), True),
        # twice the complaints among twice the messages: the messages are what is unusual
        (Counts(200, 16, 2, 24), True),
        (Counts(100, 8, 4, 12), False),  # fewer than 5 of anything
    ],
)
def test_ratios_that_are_worth_attention(current, is_named):
    assert set(found(current, history())) <= {VOLUME}
    assert bool(found(current, history())) is is_named


def test_a_tenant_that_varies_much_is_called_anomalous_later():
    """Every weekday 60, 100 and 140 alternately: a dispersion of 11, with which 180 is ordinary."""
    values = [Counts((60, 100, 140)[back % 3], 8, 2, 12) for back in range(56)]
    assert found(Counts(180, 8, 2, 12), values) == {}
    assert set(found(Counts(180, 8, 2, 12), history())) == {VOLUME}


def state_of(days: int, level: Counts, before: Counts = ORDINARY):
    """Return what is found on the last of so many days of another level."""
    period = Period(DAILY, TUESDAY.first_date + datetime.timedelta(days - 1))
    earlier = [level] * (days - 1) + [before] * 56
    return find_anomalies(level, earlier[:56], period, RISKY), period


def test_silence_is_a_state_until_it_is_usual():
    named = {}
    for days in range(1, 50):
        findings, _ = state_of(days, Counts(0, 0, 0, 0))
        named[days] = [(one.state, one.since, one.days) for one in findings]
        if days == 12:
            [one] = findings
            assert (one.figure, one.direction, one.value, one.usual_low, one.usual_high) == (
                VOLUME,
                "down",
                0,
                100,
                100,
            )
            assert one.sentence == "silent since 3 Nov, 12 days; on Saturdays usually 100 messages"
    assert all(named[days] == [("silent", TUESDAY.first_date, days)] for days in range(1, 29))
    # from the fifth week on, at least four of the eight same weekdays are silent: the median is no longer 100
    assert all(not named[days] for days in range(36, 50))


def test_more_risk_is_a_state_until_it_is_usual():
    named = []
    for days in range(1, 50):
        findings, _ = state_of(days, Counts(100, 24, 2, 12))
        named.append([(one.figure, one.days) for one in findings])
        if days == 12:
            assert findings[0].sentence == (
                "24% of the messages are complaints or escalations; on Saturdays usually 8%; "
                "above usual for 12 days, since 3 Nov"
            )
            assert findings[0].state == "lasting"
    assert named[0] == [(RISK, 1)]
    # two days of it are each found, and not sure enough together
    assert named[1:28] == [[(RISK, 1)], *([(RISK, days)] for days in range(3, 29))]
    assert not any(named[35:])


def test_what_was_never_there_is_new():
    findings, _ = state_of(5, Counts(100, 8, 12, 12), Counts(100, 8, 0, 12))
    [one] = findings
    assert (one.figure, one.state, one.days) == (ALERTS, "new", 5)
    assert one.sentence == "12 alerts; new since 3 Nov, none on any of the 52 days stored before"


def test_a_state_begins_where_it_is_clearest():
    """Three days of many alerts, after two that were a little above the usual one by chance."""
    before = [Counts(100, 8, 30, 12)] * 2 + [Counts(100, 8, 2, 12)] * 2 + [Counts(100, 8, 1, 12)] * 52
    alerts = found(Counts(100, 8, 30, 12), before)[ALERTS]
    assert (alerts.days, alerts.since) == (3, TUESDAY.first_date - datetime.timedelta(2))


def test_a_state_is_over_on_an_ordinary_day_and_goes_on_after_one():
    before = [ORDINARY, *[Counts(100, 24, 2, 12)] * 6, *[ORDINARY] * 49]
    assert found(ORDINARY, before) == {}
    again = found(Counts(100, 24, 2, 12), before)[RISK]
    assert (again.days, again.since) == (7, TUESDAY.first_date - datetime.timedelta(7))
    # two ordinary days end it
    ended = [ORDINARY, *before[:55]]
    assert found(Counts(100, 24, 2, 12), ended)[RISK].days == 1


NOTHING = Counts(0, 0, 0, 0)


def working_days(number: int, last: Period, ordinary: Counts = ORDINARY, changed: Counts = ORDINARY, since=None):
    """Return a number of days, newest first, the last one included: nothing at weekends; others from a date on."""
    days = [last, *last.earlier(number - 1)]
    return [
        NOTHING if day.first_date.weekday() >= 5 else changed if since and day.first_date >= since else ordinary
        for day in days
    ]


def test_a_weekend_on_which_nothing_comes_ends_no_state():
    """Three times the risk from Tuesday, 3 November, on, of a tenant that is silent each weekend."""
    named = {}
    for days in range(1, 50):
        day = Period(DAILY, TUESDAY.first_date + datetime.timedelta(days - 1))
        current, *before = working_days(57, day, changed=Counts(100, 24, 2, 12), since=TUESDAY.first_date)
        named[day.first_date] = [
            (one.figure, one.since, one.days) for one in find_anomalies(current, before, day, RISKY)
        ]
    on = [datetime.date(2026, 11, day) for day in (3, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27)]
    assert [named[day] for day in on[1:]] == [[(RISK, TUESDAY.first_date, days)] for days in range(3, 20)]
    assert not any(found for day, found in named.items() if day.weekday() >= 5)
    # usual in the fifth week
    assert not any(found for day, found in named.items() if day >= datetime.date(2026, 12, 8))


def test_a_silence_begins_on_a_day_on_which_something_usually_comes():
    monday = datetime.date(2026, 11, 9)
    for days, said in (
        (1, "0 messages; on Mondays usually 100"),
        (9, "silent since 9 Nov, 9 days; on Tuesdays usually"),
    ):
        day = Period(DAILY, monday + datetime.timedelta(days - 1))
        current, *before = working_days(57, day, changed=NOTHING, since=monday)
        [one] = find_anomalies(current, before, day, RISKY)
        assert (one.state, one.since, one.days) == ("silent", monday, days)
        assert one.sentence.startswith(said)


def test_when_a_state_is_over():
    [risk] = [metric for metric in METRICS if metric.name == RISK]
    more, few = Counts(100, 24, 2, 12), Counts(3, 1, 0, 0)
    cases: list[tuple[list[Counts | None], bool]] = [
        ([ORDINARY, ORDINARY, more, more], True),
        ([ORDINARY, more, more, more], False),
        # said once
        ([ORDINARY, ORDINARY, ORDINARY, more], False),
        # a third of the risk's messages on a holiday are as risky; without any, nothing is known
        ([few, few, more, more], False),
        ([NOTHING, NOTHING, more, more], False),
        ([ORDINARY, None, ORDINARY, more], True),
        ([None, ORDINARY, ORDINARY, more], False),
    ]
    for days, is_end in cases:
        everything = days + [ORDINARY] * 53
        current, before = everything[0], everything[1:]
        is_found = current is not None and is_over(risk, current, before, 7, is_up=True)
        assert is_found == is_end, days
    [volume] = [metric for metric in METRICS if metric.name == VOLUME]
    for date, is_end in (("2026-11-08", False), ("2026-11-09", False), ("2026-11-10", True), ("2026-11-11", False)):
        day = Period(DAILY, datetime.date.fromisoformat(date))
        # silent from Wednesday to Friday
        current, *before = [
            NOTHING if datetime.date(2026, 11, 4) <= each.first_date <= datetime.date(2026, 11, 6) else counts
            for each, counts in zip([day, *day.earlier(56)], working_days(57, day), strict=True)
        ]
        assert is_over(volume, current, before, 7, is_up=False) == is_end, date


def test_a_share_that_lasts_is_named_on_a_day_with_few_messages():
    """Three times the risk for twelve days, on the last one with a third of the messages: 8 risky ones, as usual."""
    before = [*[Counts(100, 24, 2, 12)] * 11, *[ORDINARY] * 45]
    findings = found(Counts(33, 8, 1, 4), before)
    assert (findings[RISK].value, findings[RISK].days) == (24, 12)
    # a share as usual is not, and neither is one of hardly any messages
    assert set(found(Counts(33, 3, 1, 4), before)) == {VOLUME}
    assert set(found(Counts(4, 2, 0, 0), before)) == {VOLUME}


def test_a_share_within_its_usual_range_is_no_anomaly():
    """Two and a half times the messages, of which 10% are risky; usually 7 to 10%."""
    weeks = [
        (7 * week, Counts(400, risky, 2, 48)) for week, risky in enumerate([28, 30, 32, 28, 40, 34, 40, 30], start=1)
    ]
    before = history(*weeks, ordinary=Counts(400, 32, 2, 48))
    assert set(found(Counts(1000, 104, 2, 120), before)) == {VOLUME}
    assert set(found(Counts(1000, 110, 2, 120), before)) == {RISK, VOLUME}


def test_of_days_without_messages_there_is_no_usual_share():
    """Six Tuesdays with 4 of 50, two without messages, which are no outliers; then 30 of 75."""
    today, usual = Counts(75, 30, 1, 3), Counts(50, 4, 1, 2)
    findings = found(today, history((7, NOTHING), (14, NOTHING), ordinary=usual))
    assert findings[RISK].sentence == "40% of the messages are complaints or escalations; on Tuesdays usually 8%"
    # where no Tuesday has any, the messages are what is unusual
    assert set(found(today, history(*[(7 * week, NOTHING) for week in range(1, 9)], ordinary=usual))) == {VOLUME}


def test_what_happens_again_and_again_is_no_anomaly():
    zeros = [(back, NOTHING) for back in (4, 13, 22, 31, 40)]
    assert found(NOTHING, history(*zeros[:4]))
    assert found(NOTHING, history(*zeros)) == {}
    # five days in a row are one time
    assert found(NOTHING, history(*[(back, NOTHING) for back in range(20, 25)]))
    # it was a day each time: two are as much chance, three are not
    assert found(NOTHING, history((1, NOTHING), *zeros)) == {}
    assert found(NOTHING, history((1, NOTHING), (2, NOTHING), *zeros))[VOLUME].days == 3
    bursts = [(back, Counts(90, 8, 2, 12)) for back in (4, 13, 22, 31, 40)]
    assert found(ORDINARY, history(*bursts, ordinary=NOTHING)) == {}
    assert VOLUME in found(ORDINARY, history(*bursts[:4], ordinary=NOTHING))


def test_a_state_whose_days_before_were_as_high_is_no_habit():
    """Three times as many for 27 days, but on Tuesdays; the median of those before them is today's count."""
    before = [Counts(330 if back <= 27 else 110, 0, 0, 0) for back in range(1, 57)]
    for week, messages in enumerate([10, 10, 10, 30, 30, 30, 10, 10], start=1):
        before[7 * week - 1] = Counts(messages, 0, 0, 0)
    [one] = found(Counts(30, 0, 0, 0), before).values()
    # of the 28 days, the three Tuesdays before have less than a tenth of the others' messages
    assert (one.figure, one.direction, one.state, one.days) == (VOLUME, "up", "lasting", 25)


def test_low_days_are_no_recurrence_of_a_high_one():
    """60 is below the median of 100, and so are five separate days."""
    values = [60 if back in (3, 9, 17, 25, 33) else 100 for back in range(1, 57)]
    assert recurrences(60, values, 7, is_up=False) == (5, 1)
    assert recurrences(60, values, 7, is_up=True) == (0, 0)
    assert recurrences(100, values, 7, is_up=True) == (0, 0)


def test_a_young_tenant_that_falls_silent_stays_named():
    before = [*[NOTHING] * 3, *[Counts(50, 4, 0, 6)] * 9, *[None] * 44]
    [one] = find_anomalies(NOTHING, before, TUESDAY, RISKY)
    assert one.sentence == "silent since 31 Oct, 4 days; at least 50 on each of the 9 days stored before"
    assert (one.state, one.since, one.days) == ("silent", datetime.date(2026, 10, 31), 4)


def test_a_silence_of_a_young_tenant_may_begin_on_a_weekday_with_few_messages():
    # Tuesday, 3 November; from Sunday on nothing, on Saturdays and Sundays usually 12
    before = [
        NOTHING if back <= 2 else Counts(12 if (back - 2) % 7 in (0, 1) else 500, 4, 0, 2) for back in range(1, 17)
    ]
    [one] = find_anomalies(NOTHING, [*before, *[None] * 40], TUESDAY, RISKY)
    assert one.sentence == "silent since 1 Nov, 3 days; at least 12 on each of the 14 days stored before"


def test_days_that_are_not_stored_are_neither_usual_nor_anomalous():
    gaps = [(back, None) for back in (1, 2, 3, 7, 14)]
    assert set(found(Counts(240, 80, 38, 12), history(*gaps))) == {ALERTS, RISK, VOLUME}
    # of six of the eight Tuesdays there is enough, of five there is not
    assert found(Counts(240, 8, 2, 12), history((7, None), (14, None)))
    assert not found(Counts(240, 8, 2, 12), history((7, None), (14, None), (21, None)))


@pytest.mark.parametrize(
    ("current", "before", "sentence"),
    [
        (Counts(0, 0, 0, 0), [Counts(50, 4, 0, 6)] * 9, "no messages; at least 50 on each of the 9 days stored before"),
        (Counts(50, 4, 40, 6), [Counts(50, 4, 0, 6)] * 9, "40 alerts; none on any of the 9 days stored before"),
        (Counts(50, 4, 40, 6), [Counts(50, 4, 3, 6)] * 9, "40 alerts; at most 3 on each of the 9 days stored before"),
        # not sure: too few days, a day that was as quiet, not enough alerts, more of what always grows
        (Counts(0, 0, 0, 0), [Counts(50, 4, 0, 6)] * 6, None),
        (Counts(0, 0, 0, 0), [*[Counts(50, 4, 0, 6)] * 8, Counts(9, 0, 0, 0)], None),
        (Counts(50, 4, 9, 6), [Counts(50, 4, 0, 6)] * 9, None),
        (Counts(50, 4, 14, 6), [Counts(50, 4, 3, 6)] * 9, None),
        (Counts(500, 100, 0, 6), [Counts(50, 4, 0, 6)] * 9, None),
    ],
)
def test_after_a_short_baseline_only_what_is_sure_is_said(current, before, sentence):
    findings = find_anomalies(current, [*before, *[None] * (56 - len(before))], TUESDAY, RISKY)
    assert [one.sentence for one in findings] == ([sentence] if sentence else [])


def test_weeks_and_months_are_compared_with_the_eight_before():
    for granularity, when in ((WEEKLY, "weeks"), (MONTHLY, "months")):
        period = granularity.containing(TUESDAY.first_date)
        before = [Counts(700, 56, 14, 84)] * 8
        [one] = find_anomalies(Counts(700, 168, 14, 84), before, period, RISKY)
        usual = f"24% of the messages are complaints or escalations; in the {when} before usually 8%"
        assert one.sentence == usual
        [one] = find_anomalies(Counts(700, 168, 14, 84), [*[Counts(700, 168, 14, 84)] * 2, *before[:6]], period, RISKY)
        assert one.sentence.startswith(f"{usual}; above usual for 3 {when}, since ")


def test_many_organizations_that_move_alike_are_said_once():
    [finding] = find_anomalies(Counts(240, 8, 2, 12), history(), TUESDAY, RISKY)
    [one] = find_together([finding] * 26, 60, TUESDAY)
    assert (one.organizations, one.organizations_compared, one.figure, one.direction) == (26, 60, VOLUME, "up")
    assert one.sentence == ("26 of 60 organizations: messages far above usual; a holiday, a release or the platform?")
    # fewer than five, or than a tenth
    assert find_together([finding] * 4, 10, TUESDAY) == []
    assert find_together([finding] * 5, 10, TUESDAY)
    assert find_together([finding] * 5, 60, TUESDAY) == []
    assert find_together([finding] * 6, 60, TUESDAY)
    # who began before so many did is known by the date
    earlier = [replace(finding, since=TUESDAY.first_date - datetime.timedelta(days)) for days in (30, 4, 1)]
    [one] = find_together([*[finding] * 3, *earlier], 60, TUESDAY)
    assert (one.organizations, one.since) == (6, TUESDAY.first_date)
    [one] = find_together([*[finding] * 3, *earlier], 20, TUESDAY)
    assert one.since == TUESDAY.first_date
    [one] = find_together([*[earlier[2]] * 4, finding, *earlier], 20, TUESDAY)
    assert one.since == TUESDAY.first_date - datetime.timedelta(1)


def test_what_is_left_out_beforehand_is_never_anomalous():
    """Whatever find_anomalies() names would have been looked at: it asks the same first."""
    chance = random.Random(3)
    named = lasting = 0
    for _ in range(600):
        mean = chance.choice([3, 10, 40, 300])
        before = [
            Counts(*(round(chance.gauss(mean, mean**0.5)) if chance.random() < 0.9 else 0 for _ in range(4)))
            for _ in range(56)
        ]
        before = [Counts(*(max(0, value) for value in one)) for one in before]
        times, days = chance.choice([1, 3]), chance.randint(1, 25)
        before = [one._replace(risky=times * one.risky) if back < days else one for back, one in enumerate(before)]
        current = Counts(*(round(mean * chance.choice([0, 0.3, 1, 1.2, 2, 4])) for _ in range(4)))
        if chance.random() < 0.5:
            # as in the days before, among fewer messages
            part = chance.choice([0.4, 0.65, 0.9])
            current = Counts(*(round(mean * part * one) for one in (1, times, 1, 1)))
        same = before[6::7]
        for figure in found(current, before):
            metric = next(one for one in METRICS if one.name == figure)
            is_far = is_suspect(metric.of(current), [metric.of(one) for one in same], sinks=metric.sinks)
            named, lasting = named + 1, lasting + (not is_far)
            assert is_far or may_last(metric, current, same)
    assert named > 200
    assert lasting > 10
