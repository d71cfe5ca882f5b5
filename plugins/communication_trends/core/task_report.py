"""What a task instance reports to the summary of its run: what the tables do not show. No Airflow in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from communication_trends.core.period import Period
from communication_trends.core.report import DONE, AggregationReport, TrendStatus
from communication_trends.core.wording import MAX_NAMED


@dataclass(frozen=True)
class TaskReport:
    """
    What a task instance reports beyond what the tables show.

    :param map_index: its index.
    :param clear_number: how often the run had been cleared by then.
    :param is_last_attempt: whether no other attempt was to follow.
    :param kept: ids of organizations whose trend of the run's own period the shrink guard has not overwritten.
    :param failed: ids of organizations without a trend of the run's own period from this task instance.
    :param earlier: by first date of an earlier period, how many trends were ``filled``, ``corrected`` and ``kept``.
    :param failed_earlier: first date of an earlier period and id of the organization, of those that failed.
    :param not_in_source: by first date of a period, ids of organizations whose trend stays missing, since the source
        may have lost its rows.
    :param incomplete: of trends that the source has lost rows of: id, first date, reason.
    :param deleted: ids of organizations that the source does not have any more.
    :param doubtful: of trends with source rows that cannot be right: id, first date, reason; `MAX_NAMED` at most.
    :param doubtful_total: how many of these there are.
    """

    map_index: int
    clear_number: int
    is_last_attempt: bool
    kept: Sequence[str] = ()
    failed: Sequence[str] = ()
    earlier: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    failed_earlier: Sequence[Sequence[str]] = ()
    not_in_source: Mapping[str, Sequence[str]] = field(default_factory=dict)
    incomplete: Sequence[Sequence[str]] = ()
    deleted: Sequence[str] = ()
    doubtful: Sequence[Sequence[str]] = ()
    doubtful_total: int = 0

    @classmethod
    def of(
        cls, own: Period, report: AggregationReport, *, map_index: int, clear_number: int, is_last_attempt: bool
    ) -> TaskReport | None:
        """
        Return what has to be reported of some work; None where the tables show it all.

        :param own: the run's own period.
        :param report: what became of the work.
        :param map_index: the task instance's index.
        :param clear_number: how often the run has been cleared.
        :param is_last_attempt: whether no other attempt follows.
        """
        doubtful = _doubtful(report)
        reported = cls(
            map_index,
            clear_number,
            is_last_attempt,
            kept=[result.organization for result in report.guarded(period=own)],
            failed=[result.organization for result in report.of(TrendStatus.FAILED, period=own)],
            earlier=_earlier(own, report),
            failed_earlier=[
                [str(result.period.first_date), result.organization]
                for result in report.of(TrendStatus.FAILED, earlier_than=own)
            ],
            not_in_source=_not_in_source(report),
            incomplete=[(id_, str(period.first_date), why) for (id_, period), why in report.incomplete.items()],
            deleted=list(report.deleted),
            doubtful=doubtful[:MAX_NAMED],
            doubtful_total=len(doubtful),
        )
        says_anything = (
            reported.kept,
            reported.failed,
            reported.earlier,
            reported.failed_earlier,
            reported.not_in_source,
            reported.incomplete,
            reported.deleted,
            reported.doubtful,
        )
        return reported if any(says_anything) else None

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON, for an XCom."""
        return {_camel(name): value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> TaskReport:
        """Return a report from its JSON; a run from before an upgrade has left one with less in it."""
        return cls(**{name: value[_camel(name)] for name in cls.__dataclass_fields__ if _camel(name) in value})


def _earlier(own: Period, report: AggregationReport) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    changed = report.of(TrendStatus.FILLED, TrendStatus.CORRECTED, earlier_than=own)
    for status, results in (("", changed), ("kept", report.guarded(earlier_than=own))):
        for result in results:
            counts = found.setdefault(str(result.period.first_date), {})
            counts[status or result.status.value] = counts.get(status or result.status.value, 0) + 1
    return found


def _not_in_source(report: AggregationReport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in report.of(TrendStatus.NOT_IN_SOURCE):
        found.setdefault(str(result.period.first_date), []).append(result.organization)
    return found


def _doubtful(report: AggregationReport) -> list[tuple[str, str, str]]:
    if not report.doubtful:
        return []
    done = {(result.organization, result.period) for result in report.of(*DONE)}
    return [
        (id_, str(period.first_date), why) for (id_, period), why in report.doubtful.items() if (id_, period) in done
    ]


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
