"""The JSON of organizations."""

from communication_trends.web.models.base import Model


class Organization(Model):
    """An organization; without a name or slug of its own it has its id instead."""

    id: str
    name: str
    slug: str


class Organizations(Model):
    """One page of organizations, by name."""

    organizations: list[Organization]
    total_entries: int
