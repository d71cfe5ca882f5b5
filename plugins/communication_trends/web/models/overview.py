"""The JSON of the ranking of organizations."""

import datetime

from pydantic import Field

from communication_trends.web.models.base import Model, Ranged
from communication_trends.web.models.organizations import Organization


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
