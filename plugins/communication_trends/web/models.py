"""
The JSON that the API answers with: camelCase, typed.

The names are the same for days, weeks and months: an entry of ``days`` is one period, whose ``date`` is its first date.
"""

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

State = Literal["stored", "missing", "unreadable", "notDue", "notCreated"]
Kind = Literal["daily", "weekly", "monthly"]


class Model(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.rstrip("_")), populate_by_name=True)


class Ranged(Model):
    """An answer over a range of periods."""

    period: Kind = Field(description="Length of each period.")
    from_: datetime.date = Field(description="First date of the first period.")
    to: datetime.date = Field(description="Last date of the last period.")


class Organization(Model):
    """An organization; without a name or slug of its own it has its id instead."""

    id: str
    name: str
    slug: str


class Organizations(Model):
    """One page of organizations, by name."""

    organizations: list[Organization]
    total_entries: int


class Hotspot(Model):
    """A channel that ran hot in a period, as stored."""

    channel_id: str
    risk_score: int
    message_count: int


class TrendDay(Model):
    """One period. Without a readable trend it has null everywhere: nothing is known, which is not zero."""

    date: datetime.date = Field(description="Its first date.")
    state: State = Field(
        description="stored; missing: due, and not stored; unreadable: what is stored is no trend; notDue: its run is "
        "not due yet; notCreated: the organization did not exist yet."
    )
    missing: bool = Field(description="A trend was due and is not stored.")
    unreadable: bool = Field(description="What is stored is no trend.")
    topics: dict[str, int] | None = None
    tones: dict[str, int] | None = None
    escalations: dict[str, int] | None = None
    total_classifications: int | None = None
    avg_confidence: int | None = Field(None, description="0–100; also null in a period without any confidence.")
    hotspot_count: int | None = None


class OrganizationTrendDay(TrendDay):
    """One period of one organization."""

    hotspots: list[Hotspot] | None = None
    is_final: bool | None = Field(
        None,
        description="Whether the period had ended, and its source was complete as far as can be known, when the trend "
        "was computed; null where its origin is unknown.",
    )
    computed_at: datetime.datetime | None = Field(
        None, description="The moment whose source rows the trend is from; null where its origin is unknown."
    )


class AllTrendDay(TrendDay):
    """One period over all organizations; the sums are those of the organizations stored."""

    organizations_stored: int = Field(description="Organizations with a readable trend of this period.")
    organizations_missing: int = Field(description="Organizations that existed, and whose trend was due, without one.")
    organizations_unreadable: int = Field(description="Organizations whose stored trend cannot be read.")


class Totals(Model):
    """Sums over the periods that are stored."""

    days: int
    missing_days: int
    unreadable_days: int
    topics: dict[str, int]
    tones: dict[str, int]
    escalations: dict[str, int]
    total_classifications: int
    risk_score: int | None = Field(description="Share of risky topics in percent, rounded half up.")
    avg_confidence: int | None = Field(description="Mean of the periods' averages, weighted by their messages.")


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


class ChangedPeriod(Model):
    """A period whose trends have changed."""

    date: datetime.date = Field(description="Its first date.")
    filled: int = Field(description="Organizations whose trend was not stored before.")
    corrected: int = Field(description="Organizations whose stored trend was replaced.")


class Changing(Ranged):
    """An answer that can say what has changed."""

    changed_periods: list[ChangedPeriod] | None = Field(
        None,
        description="Periods whose trends have changed since changedSince, whether in the range or not, the earliest "
        "first; null without changedSince.",
    )
    changes_until: datetime.datetime | None = Field(
        None, description="The next changedSince, so that no change is left out; null without changedSince."
    )


class OrganizationTrends(Changing):
    """The trends of one organization, one entry per period of the range."""

    organization: Organization
    totals: Totals
    days: list[OrganizationTrendDay]
    hotspot_rules: list[HotspotRule] | None = HOTSPOT_RULES


class AllTrends(Changing):
    """The trends of all organizations together, one entry per period of the range."""

    organizations_total: int
    totals: Totals
    days: list[AllTrendDay]


class RankedOrganization(Model):
    """
    One organization over the range; the lists have one value per period, null where no readable trend is stored.

    The changes are against the range before, over the periods that are stored in both, with one decimal.
    """

    rank: int
    organization: Organization
    risk_score: int | None
    risk_score_change: float | None = Field(description="Percentage points.")
    days_stored: int
    missing_days: int
    unreadable_days: int
    unreadable: bool = Field(description="A stored trend cannot be read, or the organization has no name or slug.")
    total_classifications: int
    total_classifications_change: float | None = Field(description="Percent.")
    escalations: int
    escalations_change: float | None = Field(description="Percent.")
    critical_escalations: int
    hotspot_count: int
    avg_confidence: int | None
    avg_confidence_change: float | None = Field(description="Percentage points.")
    matched_days: int = Field(description="Periods that are stored in both ranges.")
    daily_classifications: list[int | None]
    daily_risky_classifications: list[int | None]
    daily_escalations: list[int | None]


class Overview(Ranged):
    """One page of the organizations, in the order asked for."""

    organizations: list[RankedOrganization]
    total_entries: int


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
    """One page of the channels that ran hot, the riskiest first."""

    hotspots: list[RankedHotspot]
    total_entries: int
    hotspot_rules: list[HotspotRule] | None = HOTSPOT_RULES


class Dates(Model):
    """A range by its first and last date."""

    from_: datetime.date
    to: datetime.date


class ChangeInPercent(Model):
    """A count in both ranges."""

    current: int | None
    previous: int | None
    change_percent: float | None = Field(description="One decimal; null where there is nothing to compare with.")


class ChangeInPoints(Model):
    """A share in both ranges."""

    current: int | None
    previous: int | None
    change_points: float | None = Field(description="Percentage points, one decimal, from counts.")


class Comparison(Ranged):
    """The range against the one before it, over the organization-days that are stored in both."""

    organization: Organization | None
    current: Dates
    previous: Dates
    matched_days: int = Field(description="Organization-days that are stored in both ranges.")
    possible_days: int = Field(description="Organization-days of the range that were due.")
    total_classifications: ChangeInPercent
    escalations: ChangeInPercent
    risk_score: ChangeInPoints
    avg_confidence: ChangeInPoints


class Finding(Model):
    """One figure of an organization that is unusual in a period, against the same weekday of the eight weeks before."""

    organization: Organization
    date: datetime.date = Field(description="First date of the period.")
    figure: Literal["totalClassifications", "riskScore", "escalations", "negativeTones"]
    direction: Literal["up", "down"]
    value: int = Field(description="Of riskScore and negativeTones a share in percent.")
    usual_low: int
    usual_high: int
    compared_with: int = Field(description="How many earlier periods were stored.")
    sentence: str = Field(description="The same in words.")


class Attention(Ranged):
    """A page of what is unusual, the most unusual first."""

    organizations_compared: int = Field(
        description="Organizations of which enough earlier periods are stored; nothing is known of the others."
    )
    findings: list[Finding]
    total_entries: int


class Behind(Model):
    """An organization that lacks trends."""

    organization: Organization
    last_stored_day: datetime.date | None = Field(description="First date of its last stored period.")
    missing_days: list[datetime.date] = Field(description="First date of each missing period, newest first.")


class Freshness(Ranged):
    """How far the trends are complete."""

    expected_through: datetime.date = Field(description="Last date that should be stored by now.")
    complete_through: datetime.date | None = Field(description="Last date up to which nothing is missing.")
    fresh: bool
    organizations_total: int
    organizations_behind: int
    behind: list[Behind] = Field(description="A page of them, the worst first.")
    total_entries: int


class RunPeriod(Model):
    """The period that a run is for."""

    run_id: str
    period: Kind
    date: datetime.date = Field(description="Its first date, UTC.")
    to: datetime.date = Field(description="Its last date.")
    state: str
