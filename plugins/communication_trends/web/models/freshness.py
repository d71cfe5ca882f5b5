"""The JSON of what is missing."""

import datetime

from pydantic import Field

from communication_trends.web.models.base import Ignored, Model, Ranged
from communication_trends.web.models.organizations import Organization


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
