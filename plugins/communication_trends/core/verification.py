"""Verifies trends, against the source and against what is stored. No Airflow in here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from communication_trends.core.database import Transaction
from communication_trends.core.errors import TrendMismatchError, UnusableRowsError
from communication_trends.core.evidence import trend_key
from communication_trends.core.period import Granularity, Period, period_bounds
from communication_trends.core.statements import json_parts


def verify_against_source(
    reading: Transaction, computed: Sequence[Mapping[str, Any]], kind: Granularity, name: Callable[[str], str]
) -> dict[tuple[str, Period], str]:
    """
    Verify what was computed against the numbers of source rows, counted separately on the same snapshot.

    :param reading: where the source is read.
    :param computed: rows of sql/aggregate_trends.sql.
    :param kind: their granularity.
    :param name: says what to call an organization, for errors.
    :returns: by organization id and period: what of the source rows cannot be right; usually nothing.
    :raises TrendMismatchError: when a trend does not add up.
    :raises UnusableRowsError: when confidences are no percentages.
    """
    doubtful = {}
    periods = {kind.containing(trend["period_start"].date()): None for trend in computed}
    counted = {
        trend_key(row): row
        for row in reading.run(
            "count_source_rows.sql",
            {
                **period_bounds(list(periods)),
                "organization_ids": list({trend["organization_id"]: None for trend in computed}),
            },
        )
    }
    for trend in computed:
        row = counted[trend_key(trend)]
        for what, number, found in (
            ("classifications in total", trend["total_classifications"], row["messages"]),
            ("over all topics", _total(trend["topic_distribution"]), row["messages"]),
            ("over all tones", _total(trend["sentiment_distribution"]), row["messages_with_tone"]),
            ("with a tone", trend["messages_with_tone"], row["messages_with_tone"]),
            ("with a confidence", trend["messages_with_confidence"], row["messages_with_confidence"]),
            ("with an average", trend["avg_confidence"] is not None, row["messages_with_confidence"] > 0),
            ("over all severities", _total(trend["escalation_counts"]), row["alerts"]),
            ("alerts", trend["alerts"], row["alerts"]),
        ):
            if number != found:
                raise TrendMismatchError(
                    f"{name(trend['organization_id'])}: the trend does not add up and was not "
                    f"stored: {number} {what}, {found} counted"
                )
        _require_percentages(trend, row, name)
        if doubts := _doubts(row):
            period = kind.containing(trend["period_start"].date())
            doubtful[trend["organization_id"], period] = doubts
    return doubtful


def verify_stored(
    writing: Transaction,
    parameters: Mapping[str, Any],
    computed: Sequence[Mapping[str, Any]],
    name: Callable[[str], str],
) -> None:
    """
    Verify what is stored now against what was computed, column by column.

    :param writing: where trends are stored.
    :param parameters: those of sql/upsert_trends.sql.
    :param computed: what has to be stored.
    :param name: says what to call an organization, for errors.
    :raises TrendMismatchError: when something else is stored.
    """
    for row in (
        row for part in json_parts(computed) for row in writing.run("verify_trends.sql", {**parameters, **part})
    ):
        raise TrendMismatchError(
            f"{name(row['organization_id'])}: the trend does not add up and was not stored: "
            f"{difference(row)} after writing. Look for triggers and rules on communication_trends and "
            "communication_trends_provenance"
        )


def difference(row: Mapping[str, Any]) -> str:
    """
    Say how a stored trend differs from what was written.

    :param row: of sql/verify_trends.sql.
    """
    columns = row["different_columns"]
    return "no row is there" if row["is_missing"] else f"{columns} {'are' if ', ' in columns else 'is'} different"


def _require_percentages(trend: Mapping[str, Any], counted: Mapping[str, Any], name: Callable[[str], str]) -> None:
    """Refuse an average confidence that cannot be one of percentages."""
    average = trend["avg_confidence"]
    if average is None or (0 <= average <= 100 and not counted["has_fractions"]):
        return
    number = counted["messages_with_confidence"]
    if counted["has_fractions"]:
        found = f"the confidences of its {number} messages are fractions of 1"
    else:
        found = f"{counted['confidences_out_of_range']} of {number} confidences are outside of 0 to 100"
    raise UnusableRowsError(
        f"{name(trend['organization_id'])}: {found}, and topic_classifications.confidence has to be a percentage: no "
        "trend was stored. Have percentages stored, or put a view first into the search_path of the connection that "
        "has round(confidence * 100), or null, in their place"
    )


def _doubts(counted: Mapping[str, Any]) -> str:
    """Say what of some source rows cannot be right, from a row of sql/count_source_rows.sql."""
    doubts = []
    if number := counted["confidences_out_of_range"]:
        doubts.append(f"{number} have a confidence outside of 0 to 100, which its average counts unchanged")
    if number := counted["confidences_between_0_and_1"]:
        doubts.append(f"{number} have a confidence between 0 and 1, which its average counts as less than one percent")
    if number := counted["sentiments_in_text"]:
        doubts.append(
            f"{number} have a sentiment that is a text with JSON in it, instead of JSON, so that their tones are not "
            "counted. Have it stored once, not as text, or put a view first into the search_path of the connection "
            "that has (sentiment #>> '{}')::jsonb in its place"
        )
    return "; ".join(doubts)


def _total(distribution: str) -> int:
    """Return how many are counted in a column of JSON, which the package passes on as text."""
    # fast path: '{}' needs no parsing
    return sum(json.loads(distribution).values()) if distribution != "{}" else 0
