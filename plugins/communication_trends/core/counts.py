"""What is counted of an organization and period, and which of it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from communication_trends.core.totals import rounded


class Counts(NamedTuple):
    """
    What is looked at of one organization and period: many of them are made, and a tuple is made quickly.

    :param messages: classified messages.
    :param risky: those of a risky topic.
    :param alerts: escalation alerts.
    :param negative: messages in an angry or frustrated tone.
    """

    messages: int
    risky: int
    alerts: int
    negative: int


History = Sequence[Counts | None]
"""The periods before one, newest first; None for one that is not stored, not readable or not final."""


@dataclass(frozen=True)
class Metric:
    """
    A count that is looked at.

    :param name: its name in the API.
    :param attribute: its name in `Counts`.
    :param is_share: whether it is worded as a share of the messages.
    :param sinks: whether few of it are anomalous too.
    """

    name: str
    attribute: str
    is_share: bool = False
    sinks: bool = False

    def of(self, counts: Counts) -> int:
        """Return it."""
        return getattr(counts, self.attribute)

    def rate(self, counts: Counts) -> float:
        """Return the count; of a share, that share, of a period with messages."""
        return self.of(counts) / counts.messages if self.is_share else self.of(counts)

    def says(self, counts: Counts | None) -> bool:
        """Whether a period says anything of it: of no messages there is no share."""
        return counts is not None and (not self.is_share or counts.messages > 0)

    def shown(self, counts: Counts) -> int:
        """Return the metric as a person reads it: the count, or a share in percent."""
        count = self.of(counts)
        return (rounded(100 * count, counts.messages) or 0) if self.is_share else count


METRICS = (
    Metric("escalations", "alerts"),
    Metric("riskScore", "risky", is_share=True),
    Metric("negativeTones", "negative", is_share=True),
    Metric("totalClassifications", "messages", sinks=True),
)
"""All of them, in the order in which a person needs them: who is in trouble before who is busy."""
