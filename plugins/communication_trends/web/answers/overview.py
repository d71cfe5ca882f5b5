"""The organizations, ranked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from communication_trends import settings
from communication_trends.core import totals
from communication_trends.core.period_range import Range
from communication_trends.core.trend_reader import TrendReader
from communication_trends.core.work import chunks
from communication_trends.web.answers.organizations import find, organization_of
from communication_trends.web.answers.ranged import range_fields
from communication_trends.web.models.overview import Overview, RankedOrganization

DOWNLOAD_BATCH = 500
"""Organizations whose numbers are read at once for a download."""


def overview(
    reader: TrendReader,
    asked: Range,
    *,
    organization: str | None = None,
    search: str,
    sort: str,
    ascending: bool,
    limit: int | None,
    offset: int,
) -> Overview:
    """Return a page of the organizations in the order asked for, or all of them without a limit."""
    one = find(reader, organization)
    compared = asked.compared_parameters
    by_change = sort.endswith("Change")
    rows = reader.rows(
        "reading/overview",
        found_organization_id=one and one.id,
        search=search,
        sort=sort,
        ascending=ascending,
        by_change=by_change,
        limit=limit,
        offset=offset,
        hotspot_topics=settings.hotspot_topics(),
        hotspot_min_messages=settings.hotspot_min_messages(),
        # not needed for this order
        **{**compared, **({} if by_change else asked.parameters)},
    )
    page = [row for row in rows if row["organization_id"]]
    # the first row is there even where the page is empty
    overall = (rows[0]["overall_risky"], rows[0]["overall_messages"])
    ranked: list[RankedOrganization] = []
    for part in chunks(page, DOWNLOAD_BATCH):
        found = reader.rows(
            "reading/overview_totals",
            organization_ids=[row["organization_id"] for row in part],
            hotspot_topics=settings.hotspot_topics(),
            **compared,
        )
        ranked += [_ranked(row, overall, rank=part[index]["rank"]) for index, row in enumerate(found)]
    return Overview(**range_fields(asked), organizations=ranked, total_entries=rows[0]["total_entries"])


def _ranked(row: Mapping[str, Any], overall: tuple[int, int], *, rank: int) -> RankedOrganization:
    sums, now, before = (totals.sums_of(row, prefix) for prefix in ("", "matched_", "previous_"))
    stored, matched = row["days_stored"] > 0, row["matched_days"] > 0
    return RankedOrganization(
        **row,
        rank=rank,
        organization=organization_of(row),
        risk_score=sums.risk_score,
        risk_score_change=totals.risk_change(now, before),
        adjusted_risk=totals.shrunk_percent((sums.risky + sums.alerts, sums.messages + sums.alerts), overall),
        not_final_days=len(row["not_final_dates"]),
        unreadable=row["unreadable_days"] > 0 or row["nameless"],
        total_classifications=sums.messages if stored else None,
        total_classifications_change=totals.change_percent(now.messages, before.messages),
        escalations=sums.alerts if stored else None,
        escalations_per_thousand=totals.per_thousand(sums.alerts, sums.messages),
        escalations_change=totals.change_percent(now.alerts, before.alerts),
        critical_escalations=row["critical"],
        hotspot_count=row["hotspots"],
        avg_confidence=sums.avg_confidence,
        avg_confidence_change=totals.confidence_change(now, before),
        comparable=totals.is_comparable(row["matched_days"], row["expected_days"]),
        matched_risk_score=now.risk_score,
        previous_risk_score=before.risk_score,
        matched_classifications=now.messages if matched else None,
        previous_classifications=before.messages if matched else None,
        matched_risky_classifications=now.risky if matched else None,
        previous_risky_classifications=before.risky if matched else None,
        matched_escalations=now.alerts if matched else None,
        previous_escalations=before.alerts if matched else None,
    )
