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
    risky_topics: list[str] = Field(description="Topics that count as risky, of the settings at this moment.")


class Ignored(Model):
    """Stored trends of the range that count for nothing, in no number."""

    off_grid: int = Field(description="Begin where no period begins, as a week from a Sunday.")
    of_no_organization: int = Field(description="Their organization is not known.")
    before_existence: int = Field(description="Are empty, and of a period before their organization existed.")


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
    """A hotspot of a period, as stored."""

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
    risky_classifications: int | None = Field(None, description="Messages of a risky topic.")
    escalations_total: int | None = Field(None, description="Alerts of all severities.")
    messages_with_tone: int | None = None
    confidence_sum: int | None = Field(
        None, description="Averages, each times its messages with a confidence: numerator of the mean."
    )
    classifications_with_confidence: int | None = Field(
        None,
        description="Messages with a confidence: denominator of the mean. Where a trend's provenance does not say, all "
        "of its messages if it has an average.",
    )
    risk_score: int | None = Field(None, description="Share of risky topics in percent, rounded half up.")
    whole: bool = Field(
        False,
        description="Whether nothing is missing from it: its run is due, and the trends of all organizations that "
        "existed are stored, readable and final.",
    )


class OrganizationTrendDay(TrendDay):
    """One period of one organization."""

    hotspots: list[Hotspot] | None = None
    is_final: bool | None = Field(
        None,
        description="Whether the period had ended, and its source was complete as far as can be known, when the trend "
        "was computed; false in a period that has not ended; null where its origin is unknown.",
    )
    computed_at: datetime.datetime | None = Field(
        None, description="The moment whose source rows the trend is from; null where its origin is unknown."
    )


class AllTrendDay(TrendDay):
    """One period over all organizations; the sums are those of the organizations stored."""

    organizations_expected: int = Field(description="Organizations that existed; 0 before the period's run is due.")
    organizations_stored: int = Field(description="Organizations with a readable trend of this period.")
    organizations_not_final: int = Field(description="Those of them whose trend is not final.")
    organizations_missing: int = Field(description="Organizations that existed, and whose trend was due, without one.")
    organizations_unreadable: int = Field(description="Organizations whose stored trend cannot be read.")


class Totals(Model):
    """Sums over the periods that are stored; null where none is."""

    days: int
    stored_days: int = Field(description="Periods with a readable trend.")
    not_final_days: int = Field(description="Those of them with a trend that is not final.")
    whole_days: int = Field(description="Periods that are whole.")
    expected_days: int = Field(description="Periods of which a trend should be stored by now, or is.")
    missing_days: int
    unreadable_days: int
    organization_days_stored: int = Field(description="Readable trends.")
    organization_days_not_final: int = Field(description="Those of them that are not final.")
    organization_days_expected: int = Field(description="Trends that should be stored by now, or are.")
    topics: dict[str, int]
    tones: dict[str, int]
    escalations: dict[str, int]
    total_classifications: int | None
    risky_classifications: int | None
    escalations_total: int | None
    messages_with_tone: int | None
    confidence_sum: int | None
    classifications_with_confidence: int | None
    risk_score: int | None = Field(description="Share of risky topics in percent, rounded half up.")
    avg_confidence: int | None = Field(
        description="Mean of the trends' averages, weighted by their messages with a confidence."
    )


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


class NamedDays(Model):
    """A named day, or several: a holiday, a release."""

    from_: datetime.date
    to: datetime.date
    name: str


MARKS = Field(description="Named days of the range, from the file of the setting marks_path.")


class OrganizationTrends(Changing):
    """The trends of one organization, one entry per period of the range."""

    organization: Organization
    totals: Totals
    days: list[OrganizationTrendDay]
    ignored: Ignored
    marks: list[NamedDays] = MARKS
    hotspot_rules: list[HotspotRule] | None = HOTSPOT_RULES


class AllTrends(Changing):
    """The trends of all organizations together, one entry per period of the range."""

    organizations_total: int
    totals: Totals
    days: list[AllTrendDay]
    ignored: Ignored
    marks: list[NamedDays] = MARKS


class RankedOrganization(Model):
    """
    One organization over the range; the lists have one value per period, null where no readable trend is stored.

    The changes are against the range before, over the periods that are stored and final in both, with one decimal.
    Numbers are null where no readable trend is stored at all.
    """

    rank: int
    organization: Organization
    risk_score: int | None
    risk_score_change: float | None = Field(description="Percentage points.")
    adjusted_risk: float | None = Field(
        description="Share in percent, one decimal, with each alert as one more risky message, and with 200 messages "
        "at the share of all organizations together added: few messages are no ranking."
    )
    days_stored: int
    expected_days: int = Field(description="Periods of which a trend should be stored by now.")
    missing_days: int
    unreadable_days: int
    not_final_days: int = Field(description="Stored periods whose trend is not final.")
    not_final_dates: list[datetime.date] = Field(description="Their first dates.")
    unreadable: bool = Field(description="A stored trend cannot be read, or the organization has no name or slug.")
    total_classifications: int | None
    total_classifications_change: float | None = Field(description="Percent.")
    escalations: int | None
    escalations_change: float | None = Field(description="Percent.")
    critical_escalations: int | None
    escalations_per_thousand: float | None = Field(description="Alerts per 1,000 messages, one decimal.")
    hotspot_count: int | None
    avg_confidence: int | None
    avg_confidence_change: float | None = Field(description="Percentage points.")
    matched_days: int = Field(description="Periods that are stored and final in both ranges: what is compared.")
    comparable: bool = Field(description="Whether these are at least 80% of the periods that could be.")
    matched_risk_score: int | None = Field(description="Of what is compared.")
    previous_risk_score: int | None
    matched_classifications: int | None
    previous_classifications: int | None
    matched_risky_classifications: int | None
    previous_risky_classifications: int | None
    matched_escalations: int | None
    previous_escalations: int | None
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
    """One page of the hotspot channels, the riskiest first."""

    hotspots: list[RankedHotspot]
    total_entries: int
    hotspot_rules: list[HotspotRule] | None = HOTSPOT_RULES


class Dates(Model):
    """A range by its first and last date."""

    from_: datetime.date
    to: datetime.date


class ChangeInPercent(Model):
    """A count in both ranges, over what is compared."""

    current: int | None
    previous: int | None
    change_percent: float | None = Field(description="One decimal; null where there is nothing to compare with.")
    total: int | None = Field(description="Of all that is stored of the range, compared or not.")
    left_out: int | None = Field(description="What of that is not compared.")


class ChangeInPoints(Model):
    """A share in both ranges, over what is compared."""

    current: int | None
    previous: int | None
    change_points: float | None = Field(description="Percentage points, one decimal, from counts.")
    total: int | None = Field(description="Of all that is stored of the range, compared or not.")


class Compared(Ranged):
    """Two ranges, over the organization-days that are stored and final in both."""

    organization: Organization | None
    current: Dates
    previous: Dates
    matched_days: int = Field(description="Organization-days that are stored and final in both ranges.")
    possible_days: int = Field(description="Organization-days of the range that were due.")
    comparable: bool = Field(
        description="Whether matchedDays are at least 80% of possibleDays; with fewer, a change says nothing."
    )


class Comparison(Compared):
    """The range against the one before it, over the organization-days that are stored and final in both."""

    stored_days: int = Field(description="Organization-days of the range that are stored, compared or not.")
    not_final_days: int = Field(description="Those of them that are not final.")
    left_out_days: int = Field(description="Those of them that are not compared.")
    ignored: Ignored
    total_classifications: ChangeInPercent
    escalations: ChangeInPercent
    risk_score: ChangeInPoints
    avg_confidence: ChangeInPoints


class Sides(Model):
    """A count in both ranges, over what is compared, and its share."""

    current: int
    previous: int
    current_share: float | None = Field(description="In percent, one decimal.")
    previous_share: float | None
    change_points: float | None = Field(description="Percentage points, one decimal, from counts.")


class ChannelChange(Model):
    """A channel that was a hotspot more often than before."""

    channel_id: str
    days_hot: int = Field(description="Periods of the range in which it was one.")
    previous_days_hot: int


class TopicOrganization(Sides):
    """A topic or tone of one organization, which has more of it than its share before makes of its messages now."""

    organization: Organization
    channels: list[ChannelChange] = Field(description="Of risky topics only: of others, no channel is stored.")


class TopicChange(Sides):
    """A topic or tone."""

    name: str
    organizations: list[TopicOrganization] = Field(
        description="Those with most to do with its rise, the most first; empty where one organization was asked for."
    )
    channels: list[ChannelChange] = Field(description="Of one organization's risky topics.")


class TopicChanges(Compared):
    """Each topic and tone in the range and in the one before it, over the organization-days stored in both."""

    topics: list[TopicChange] = Field(description="What rose most first.")
    tones: list[TopicChange]


class Finding(Model):
    """One metric of an organization that is unusual in a period, against its own earlier periods."""

    organization: Organization
    date: datetime.date = Field(description="First date of the period.")
    figure: Literal["totalClassifications", "riskScore", "escalations", "negativeTones"]
    direction: Literal["up", "down"]
    value: int = Field(description="Of riskScore and negativeTones a share in percent.")
    usual_low: int
    usual_high: int
    compared_with: int = Field(description="How many earlier periods were stored.")
    sentence: str = Field(description="The same in words.")
    state: Literal["single", "lasting", "silent", "new"] = Field(
        description="One period alone; one of several that go on; no message since; none before."
    )
    since: datetime.date = Field(description="First date of the first period of the state.")
    days: int = Field(description="How many periods of the state are stored, this one included.")
    together: bool = Field(description="Whether many organizations have moved alike in the period.")


class Together(Model):
    """Many organizations that have moved alike in a period."""

    date: datetime.date = Field(description="First date of the period.")
    figure: Literal["totalClassifications", "riskScore", "escalations", "negativeTones"]
    direction: Literal["up", "down"]
    organizations: int
    organizations_compared: int = Field(description="Of how many that could be judged in the period.")
    sentence: str = Field(description="The same in words.")


class Attention(Ranged):
    """
    A page of what is unusual, organization by organization.

    First those with alerts, risk or tones of their own, then those with messages of their own, the most unusual first;
    then those that have only moved with many others.
    """

    organizations_compared: int = Field(
        description="Organizations of which enough earlier periods are stored, for one period of the range at least; "
        "of the others, only what is sure is found."
    )
    organization_days_compared: int = Field(description="The same, each once for each period that could be judged.")
    organizations_total: int
    organizations_not_compared: int = Field(description="Organizations of which too few are stored to be judged.")
    together: list[Together] = Field(description="What many organizations have in common, the most first.")
    findings: list[Finding]
    total_entries: int


class Behind(Model):
    """An organization that lacks trends."""

    organization: Organization
    last_stored_day: datetime.date | None = Field(description="First date of its last stored period.")
    missing_days: list[datetime.date] = Field(description="First date of each missing period, newest first.")
    unreadable_days: list[datetime.date] = Field(description="The same of those whose stored trend cannot be read.")
    not_final_days: list[datetime.date] = Field(description="The same of those whose stored trend is not final.")


class IncompletePeriod(Model):
    """A period that some organizations lack."""

    date: datetime.date = Field(description="Its first date.")
    missing: int = Field(description="Organizations without a trend.")
    unreadable: int = Field(description="Organizations whose stored trend cannot be read.")
    not_final: int = Field(description="Organizations whose stored trend is not final.")
    expected: int = Field(description="Organizations that existed.")


class Freshness(Ranged):
    """How far the trends are complete."""

    expected_through: datetime.date = Field(description="Last date of the range that should be stored by now.")
    complete_through: datetime.date | None = Field(
        description="Last date up to which, from checkedFrom on, all trends are stored, readable and final; null where "
        "not even the first period is complete."
    )
    checked_from: datetime.date | None = Field(
        description="First date that was looked at, whatever the range: of the first stored trend, or of the earliest "
        "period that can be asked for together with the last one; null where nothing is stored."
    )
    first_incomplete: datetime.date | None = Field(description="First date of the first period that is not complete.")
    last_incomplete: datetime.date | None = Field(description="First date of the last period that is not complete.")
    incomplete_before: int = Field(description="Organization-days before the range that are not complete.")
    incomplete_periods: list[IncompletePeriod] = Field(
        description="The periods of the range that are not complete, newest first."
    )
    fresh: bool = Field(description="Whether all of the range, as far as it lies after checkedFrom, is complete.")
    organizations_total: int
    organizations_behind: int
    behind: list[Behind] = Field(description="A page of them, the worst first.")
    total_entries: int
    ignored: Ignored


class RunPeriod(Model):
    """The period that a run is for."""

    run_id: str
    period: Kind
    date: datetime.date = Field(description="Its first date, UTC.")
    to: datetime.date = Field(description="Its last date.")
    state: str
