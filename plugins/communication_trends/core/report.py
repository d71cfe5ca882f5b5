"""What became of the aggregation: plain values. No Airflow in here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from communication_trends.core.period import Period


class TrendStatus(StrEnum):
    """What became of one trend, as sql/upsert_trends.sql says it."""

    FILLED = "filled"
    CORRECTED = "corrected"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    NOT_IN_SOURCE = "not in source"
    FAILED = "failed"


WRITTEN = (TrendStatus.FILLED, TrendStatus.CORRECTED)
DONE = (*WRITTEN, TrendStatus.UNCHANGED, TrendStatus.KEPT)


# a tuple: there may be 20,000 of them, and a frozen dataclass takes five times as long to make
class TrendResult(NamedTuple):
    """
    What became of one organization's trend of one period.

    :param organization: its id.
    :param period: which one.
    :param status: what became of it.
    :param messages: how many the source has.
    :param alerts: how many alerts the source has.
    :param stored_messages: how many the stored trend had before; None where none was stored.
    :param reason: why it failed and how to fix it; or what was not overwritten, and why.
    :param retryable: whether a retry may succeed.
    :param is_guarded: whether the shrink guard has left all of it or one half as it was.
    :param keeps_messages: whether that half is the one made from messages.
    """

    organization: str
    period: Period
    status: TrendStatus
    messages: int | None = None
    alerts: int | None = None
    stored_messages: int | None = None
    reason: str = ""
    retryable: bool = True
    is_guarded: bool = False
    keeps_messages: bool = False

    @property
    def trend_messages(self) -> int | None:
        """How many messages the stored trend has now, if it is stored."""
        return self.stored_messages if self.keeps_messages else self.messages


@dataclass
class AggregationReport:
    """
    What became of the work.

    :param results: one for each organization and period that was tried.
    :param names: what to call an organization, by id: its slug, or the id where it has none.
    :param deleted: ids of organizations that the source does not have any more.
    :param incomplete: by organization id and period: why a trend just stored may lack rows that the source has lost.
    :param doubtful: by organization id and period: what of the source rows of a trend just stored cannot be right.
    :param ended_by: the error that ended the work early, since every organization would have met it; or None.
    """

    results: list[TrendResult] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    incomplete: dict[tuple[str, Period], str] = field(default_factory=dict)
    doubtful: dict[tuple[str, Period], str] = field(default_factory=dict)
    ended_by: Exception | None = None

    @property
    def rows_read(self) -> dict[str, int]:
        """Source rows that the trends were made from, by table; not those that the checks count again."""
        done = self.of(*DONE)
        return {
            "organizations": len({result.organization for result in done}),
            "topic_classifications": sum(result.messages or 0 for result in done),
            "escalation_alerts": sum(result.alerts or 0 for result in done),
        }

    @property
    def rows_written(self) -> dict[str, int]:
        """Trends that were inserted or updated."""
        return {"communication_trends": len(self.of(*WRITTEN))}

    def name(self, organization: str) -> str:
        """Return what to call an organization."""
        return self.names.get(organization) or organization

    def of(
        self, *statuses: TrendStatus, period: Period | None = None, earlier_than: Period | None = None
    ) -> list[TrendResult]:
        """
        Return the results with one of some statuses.

        :param statuses: which ones.
        :param period: of this period only.
        :param earlier_than: of any period but this one.
        """
        return [result for result in self._of(period, earlier_than) if result.status in statuses]

    def guarded(self, *, period: Period | None = None, earlier_than: Period | None = None) -> list[TrendResult]:
        """
        Return the results of trends that the shrink guard has left as they were, or one half of them.

        :param period: of this period only.
        :param earlier_than: of any period but this one.
        """
        return [result for result in self._of(period, earlier_than) if result.is_guarded]

    def _of(self, period: Period | None, earlier_than: Period | None) -> Iterator[TrendResult]:
        for result in self.results:
            if period in (None, result.period) and result.period != earlier_than:
                yield result
