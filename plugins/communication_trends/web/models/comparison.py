"""The JSON of a range against the one before it."""

from pydantic import Field

from communication_trends.web.models.base import Dates, Ignored, Model, Ranged
from communication_trends.web.models.organizations import Organization


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
