"""Which organizations there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException

from communication_trends.core.trend_reader import TrendReader
from communication_trends.web.models.organizations import Organization, Organizations


def organizations(reader: TrendReader, search: str, limit: int | None, offset: int) -> Organizations:
    """Return a page of organizations, or all of them without a limit."""
    rows = reader.rows("web/organizations", search=search, limit=limit, offset=offset)
    return Organizations(
        # the first row is there even where the page is empty, for the number of entries
        organizations=[organization_of(row) for row in rows if row["organization_id"]],
        total_entries=rows[0]["total_entries"],
    )


def find(reader: TrendReader, organization: str | None) -> Organization | None:
    """
    Return the organization with an id or slug, or None for None.

    :raises HTTPException: when there is no such organization.
    """
    return None if organization is None else find_one(reader, organization)


def find_one(reader: TrendReader, organization: str) -> Organization:
    """
    Return the organization with an id or slug.

    :raises HTTPException: when there is no such organization.
    """
    rows = reader.rows("web/organization", organization=organization)
    if not rows:
        raise HTTPException(404, f"There is no organization {organization!r}.")
    return organization_of(rows[0])


def organization_of(row: Mapping[str, Any]) -> Organization:
    """Return the organization of a row."""
    return Organization(id=row["organization_id"], name=row["name"], slug=row["slug"])
