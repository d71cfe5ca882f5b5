"""The JSON of what is unusual."""

import datetime
from typing import Literal

from pydantic import Field

from communication_trends.web.models.base import Model, Ranged
from communication_trends.web.models.organizations import Organization


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
        description="One period alone; one of several that go on; no message since; none known before."
    )
    since: datetime.date = Field(description="First date of the first period of the state.")
    days: int = Field(description="How many periods of the state are stored, this one included.")
    together: bool = Field(
        description="Whether many organizations have moved alike in the period, and this one not before them."
    )


class Together(Model):
    """Many organizations that have moved alike in a period."""

    date: datetime.date = Field(description="First date of the period.")
    figure: Literal["totalClassifications", "riskScore", "escalations", "negativeTones"]
    direction: Literal["up", "down"]
    organizations: int
    organizations_compared: int = Field(description="Of how many that could be judged in the period.")
    since: datetime.date = Field(
        description="First date of the first period by which so many had begun to that it is said of all: who began "
        "earlier has a finding of its own."
    )
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
