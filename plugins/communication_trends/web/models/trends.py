"""The JSON of trends, one entry per period."""

import datetime
from typing import Literal

from pydantic import Field

from communication_trends.web.models.base import Dates, Ignored, Model, Ranged
from communication_trends.web.models.hotspots import HOTSPOT_RULES, Hotspot, HotspotRule
from communication_trends.web.models.organizations import Organization

State = Literal["stored", "missing", "unreadable", "notDue", "notCreated"]


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
    topics: dict[str, int] | None
    tones: dict[str, int] | None
    escalations: dict[str, int] | None
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


class NamedDays(Dates):
    """A named day, or several: a holiday, a release."""

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
