"""Which topics and tones have changed from one range to the next, for whom, and in which channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from communication_trends import settings
from communication_trends.core import totals
from communication_trends.core.period_range import Range
from communication_trends.core.trend_reader import TrendReader
from communication_trends.web.answers.comparison import compared
from communication_trends.web.answers.organizations import find, organization_of
from communication_trends.web.models.topic_changes import ChannelChange, TopicChange, TopicChanges, TopicOrganization

NAMED_ORGANIZATIONS = 3
"""Organizations that are named for a topic or tone: those that contributed most to its rise."""

MIN_POINTS = 1.0
"""Minimum rise in points of a topic's share for an organization to be named."""

NAMED_CHANNELS = 3
"""Channels that are named for an organization."""


def topic_changes(reader: TrendReader, asked: Range, *, organization: str | None) -> TopicChanges:
    """
    Return each topic and tone in a range and in the one before it, over the organization-days stored and final in both.

    :raises HTTPException: when there is no such organization.
    """
    one = find(reader, organization)
    parameters = asked.compared_parameters
    rows = reader.rows(
        "web/topic_changes",
        organization_id=one and one.id,
        named_organizations=0 if one else NAMED_ORGANIZATIONS,
        **parameters,
    )
    # the first row is there even where nothing is compared
    matched, possible = rows[0]["matched_days"], rows[0]["possible_days"]
    risky = settings.hotspot_topics()
    named = {row["organization_id"] for row in rows if row["organization_id"] and row["key"] in risky}
    channels = _channels(reader, [one.id] if one else sorted(named), parameters)

    def changes(distribution: str) -> list[TopicChange]:
        found = [row for row in rows if row["distribution"] == distribution]
        sums = [row for row in found if not row["organization_id"]]
        whole = (sum(row["count"] for row in sums), sum(row["previous_count"] for row in sums))
        listed = []
        for row in sums:
            known = channels if distribution == "topics" and row["key"] in risky else {}
            others = [other for other in found if other["organization_id"] and other["key"] == row["key"]]
            listed.append(
                TopicChange(
                    name=row["key"],
                    **_sides(row, whole),
                    organizations=[entry for other in others if (entry := _named_organization(other, known))],
                    channels=known.get(one.id, []) if one else [],
                )
            )
        # what rose most is first, what cannot be compared last
        return sorted(listed, key=lambda entry: (entry.change_points is None, -(entry.change_points or 0), entry.name))

    return TopicChanges(
        **compared(asked, one, matched, possible),
        topics=changes("topics"),
        tones=changes("tones"),
    )


def _named_organization(
    row: Mapping[str, Any], channels: Mapping[str, list[ChannelChange]]
) -> TopicOrganization | None:
    """Return an organization that is named for a topic; None where its share has hardly risen."""
    sides = _sides(row, (row["whole"], row["previous_whole"]))
    if (sides["change_points"] or 0) < MIN_POINTS:
        return None
    return TopicOrganization(
        organization=organization_of(row), **sides, channels=channels.get(row["organization_id"], [])
    )


def _sides(row: Mapping[str, Any], whole: tuple[int, int]) -> dict[str, Any]:
    """Return a count in both ranges, what share of a whole it is, and how that has changed."""
    now, before = (row["count"], whole[0]), (row["previous_count"], whole[1])
    return {
        "current": now[0],
        "previous": before[0],
        "current_share": totals.percent(*now),
        "previous_share": totals.percent(*before),
        "change_points": totals.change_points(now, before, factor=100),
    }


def _channels(
    reader: TrendReader, organizations: Sequence[str], parameters: Mapping[str, Any]
) -> dict[str, list[ChannelChange]]:
    """Return by organization the channels that were hotspots more often than before, the most first."""
    found: dict[str, list[ChannelChange]] = {}
    if not organizations:
        return found
    rows: Iterable[Mapping[str, Any]] = reader.rows("web/channel_changes", organization_ids=organizations, **parameters)
    for row in rows:
        channels = found.setdefault(row["organization_id"], [])
        if row["days_hot"] > row["previous_days_hot"] and len(channels) < NAMED_CHANNELS:
            channels.append(
                ChannelChange(
                    channel_id=row["channel_id"],
                    days_hot=row["days_hot"],
                    previous_days_hot=row["previous_days_hot"],
                )
            )
    return found
