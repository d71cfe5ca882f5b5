"""Who lacks which periods."""

from __future__ import annotations

from communication_trends.core.period import ONE_DAY
from communication_trends.core.period_range import Range
from communication_trends.core.trend_reader import TrendReader
from communication_trends.web.answers.organizations import find, organization_of
from communication_trends.web.answers.ranged import ignored, range_fields
from communication_trends.web.models.freshness import Behind, Freshness, IncompletePeriod
from communication_trends.web.ranges import MAX_OF_ALL, MAX_OF_ONE


def freshness(
    reader: TrendReader, asked: Range, *, organization: str | None, limit: int | None, offset: int
) -> Freshness:
    """
    Return who lacks which of the periods up to the end of a range.

    :param asked: a range whose end should be stored by now.
    """
    one = find(reader, organization)
    # complete_through covers all that can be asked for, not just this range
    checked = asked.longest(MAX_OF_ONE if one else MAX_OF_ALL)
    rows = reader.rows(
        "reading/freshness",
        organization_id=one and one.id,
        limit=limit,
        offset=offset,
        **{**checked.parameters, "first_day": asked.first.start},
    )
    found = rows[0]
    first, last = found["first_incomplete"], found["last_incomplete"]
    known = bool(found["organizations_total"] and found["anything_stored"])
    complete = None
    if known and first is None:
        complete = asked.to
    elif known and first > found["checked_from"]:
        complete = asked.kind.containing(first).first_date - ONE_DAY
    return Freshness(
        **range_fields(asked),
        expected_through=asked.to,
        complete_through=complete,
        checked_from=found["checked_from"] if known else None,
        first_incomplete=first,
        last_incomplete=last,
        incomplete_before=found["incomplete_before"],
        incomplete_periods=[IncompletePeriod(**entry) for entry in found["incomplete_periods"] or []],
        fresh=known and not found["organizations_behind"],
        organizations_total=found["organizations_total"],
        organizations_behind=found["organizations_behind"],
        behind=[
            Behind(
                organization=organization_of(row),
                last_stored_day=row["last_stored_day"],
                missing_days=row["missing_days"] or [],
                unreadable_days=row["unreadable_days"] or [],
                not_final_days=row["not_final_days"] or [],
            )
            for row in rows
            if row["organization_id"]
        ],
        total_entries=found["organizations_behind"],
        ignored=ignored(reader, asked, one),
    )
