"""What is anomalous of one organization, and in which order it is read. No Airflow in here."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from communication_trends.core.anomalies import Finding, Together
from communication_trends.core.counts import METRICS
from communication_trends.core.messages import printable


@dataclass(frozen=True)
class OrganizationFinding:
    """
    One metric of one organization and period that is anomalous.

    :param organization_id: the organization's id.
    :param name: its name.
    :param slug: its slug.
    :param date: the period's first date.
    :param finding: what is anomalous.
    :param is_together: whether many organizations have moved alike, and this one not before them.
    """

    organization_id: str
    name: str
    slug: str
    date: datetime.date
    finding: Finding
    is_together: bool = False

    @property
    def state_key(self) -> tuple[str, str, str]:
        """What stays the same of it as long as its state lasts."""
        return self.organization_id, self.finding.figure, self.finding.direction

    @property
    def movement_key(self) -> tuple[datetime.date, str, str]:
        """What it has in common with others that move alike."""
        return self.date, self.finding.figure, self.finding.direction

    def as_json(self) -> dict[str, Any]:
        """Return it as the summary and the notifications have it."""
        return {
            "organization": self.slug,
            "organizationId": self.organization_id,
            "name": printable(self.name),
            "figure": self.finding.figure,
            "direction": self.finding.direction,
            "value": self.finding.value,
            "usualLow": self.finding.usual_low,
            "usualHigh": self.finding.usual_high,
            "comparedWith": self.finding.compared_with,
            "sentence": self.finding.sentence,
            "state": self.finding.state,
            "since": str(self.finding.since),
            "days": self.finding.days,
            "together": self.is_together,
        }


def mark_together(found: Sequence[OrganizationFinding], together: Sequence[Together]) -> list[OrganizationFinding]:
    """
    Return what was found, with whether many organizations have moved alike.

    :param found: what was found.
    :param together: what many organizations have in common.
    """
    begun = {(one.date, one.figure, one.direction): one.since for one in together}
    return [
        replace(one, is_together=one.finding.since >= begun.get(one.movement_key, datetime.date.max)) for one in found
    ]


def in_order(found: Sequence[OrganizationFinding]) -> list[OrganizationFinding]:
    """
    Return what was found as people should read it: organization by organization, their own reasons first.

    :param found: what was found.
    """
    names = [metric.name for metric in METRICS]
    is_volume = {metric.name: metric.sinks for metric in METRICS}
    weights: dict[str, list[float]] = {}
    for one in found:
        weight = weights.setdefault(one.organization_id, [0.0, 0.0, 0.0])
        weight[2 if one.is_together else is_volume[one.finding.figure]] -= one.finding.score
    return sorted(
        found,
        key=lambda one: (
            weights[one.organization_id],
            one.slug,
            one.is_together,
            names.index(one.finding.figure),
            -one.finding.score,
            one.date,
        ),
    )
