"""Anomalies in words."""

from __future__ import annotations

from collections.abc import Sequence

from communication_trends.core.counts import Metric
from communication_trends.core.period import DAILY, Period
from communication_trends.core.wording import date_text

PLURALS = {"complaint": "complaints", "escalation": "escalations", "request": "requests"}
"""Topics that can be counted, as a sentence has them; others have their own name."""

_NAMES = {
    "escalations": "alerts",
    "riskScore": "risk",
    "negativeTones": "angry and frustrated messages",
    "totalClassifications": "messages",
}


def sentence_of_many(figure: str, direction: str, number: int, compared: int, named: str) -> str:
    """
    Say what many organizations have in common.

    :param figure: the metric's name in the API.
    :param direction: up or down.
    :param number: how many organizations.
    :param compared: of how many that could be judged.
    :param named: what the days are called; nothing where they have no name.
    """
    return (
        f"{number:,} of {compared:,} organizations: {_NAMES[figure]} far "
        f"{'above' if direction == 'up' else 'below'} usual; "
        f"{named or 'a holiday, a release or the platform?'}"
    )


def sentence_of(
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
    known_before: int,
) -> str:
    """
    Say what is anomalous, for people who do not know the rule.

    :param metric: what is counted.
    :param value: it, as it is shown.
    :param usual: what it usually is at least and at most.
    :param period: the period.
    :param since: the first period of the state.
    :param periods: how many of its periods are stored.
    :param kind: ``single``, ``lasting``, ``silent`` or ``new``.
    :param risky_topics: those of the settings.
    :param is_up: whether there is more than usual.
    :param known_before: how many periods before the state are known.
    """
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
    date = date_text(since.first_date)
    lasting = f"{periods:,} {period.kind.noun}s"
    if kind == "silent":
        return f"{silent_text(since, periods)}; {_when(period)} usually {usually} {noun}"
    if kind == "new":
        return f"{value:,}{unit} {singular}; new since {date}, none {before_text('any', known_before, period)}"
    return f"{said}; {'above' if is_up else 'below'} usual for {lasting}, since {date}"


def before_text(quantifier: str, number: int, period: Period) -> str:
    """
    Say of which periods before one something is known: of those that are stored, no others.

    :param quantifier: each or any.
    :param number: how many are stored.
    :param period: the period.
    """
    noun = period.kind.noun
    return f"{'on' if period.kind is DAILY else 'in'} {quantifier} of the {number:,} {noun}s stored before"


def silent_text(since: Period, periods: int) -> str:
    """
    Say since when nothing has come.

    :param since: the first period of the silence.
    :param periods: how many of its periods are stored.
    """
    return f"silent since {date_text(since.first_date)}, {periods:,} {since.kind.noun}s"


def _risky(topics: Sequence[str]) -> str:
    """Say which messages are risky: complaints or escalations, unless the settings name other topics."""
    names = [PLURALS.get(topic, topic.replace("_", " ")) for topic in topics]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _when(period: Period) -> str:
    if period.kind is DAILY:
        return f"on {period.first_date:%A}s"
    return f"in the {period.kind.noun}s before"
