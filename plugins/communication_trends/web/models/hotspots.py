"""The JSON of hotspots, and of the rules by which they were computed."""

import datetime

from pydantic import Field

from communication_trends.web.models.base import Model, Ranged
from communication_trends.web.models.organizations import Organization


class Hotspot(Model):
    """A hotspot of a period, as stored."""

    channel_id: str
    risk_score: int
    message_count: int


class HotspotRule(Model):
    """A rule by which hotspots of the range were computed; null in all its parts where it is unknown."""

    topics: list[str] | None = Field(description="The risky ones.")
    min_messages: int | None = Field(description="Minimum messages for a channel to be a hotspot.")
    min_ratio: float | None = Field(description="Share of risky messages above which it is one, 0 to 1.")
    current: bool | None = Field(description="Whether it is the rule of the present settings.")
    trends: int = Field(description="Stored trends of the range that were computed by it.")
    from_: datetime.date = Field(description="First date of the first of their periods.")
    to: datetime.date = Field(description="Last date of the last of their periods.")


HOTSPOT_RULES = Field(
    description="The rules by which the hotspots of the range's stored trends were computed, the earliest first; null "
    "where that cannot be read."
)


class RankedHotspot(Model):
    """A channel over the range."""

    organization: Organization
    channel_id: str
    risk_score: int | None = Field(description="Mean over its hot periods, weighted by their messages.")
    peak_risk_score: int
    message_count: int
    days_hot: int
    last_hot_day: datetime.date


class Hotspots(Ranged):
    """One page of the hotspot channels, the riskiest first."""

    hotspots: list[RankedHotspot]
    total_entries: int
    hotspot_rules: list[HotspotRule] | None = HOTSPOT_RULES
