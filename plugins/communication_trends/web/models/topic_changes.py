"""The JSON of topics and tones, against the range before."""

from pydantic import Field

from communication_trends.web.models.base import Model
from communication_trends.web.models.comparison import Compared
from communication_trends.web.models.organizations import Organization


class Sides(Model):
    """A count in both ranges, over what is compared, and its share."""

    current: int
    previous: int
    current_share: float | None = Field(description="In percent, one decimal.")
    previous_share: float | None
    change_points: float | None = Field(description="Percentage points, one decimal, from counts.")


class ChannelChange(Model):
    """A channel that was a hotspot more often than before."""

    channel_id: str
    days_hot: int = Field(description="Periods of the range in which it was one.")
    previous_days_hot: int


class TopicOrganization(Sides):
    """A topic or tone of one organization, which has more of it than its share before makes of its messages now."""

    organization: Organization
    channels: list[ChannelChange] = Field(description="Of risky topics only: of others, no channel is stored.")


class TopicChange(Sides):
    """A topic or tone."""

    name: str
    organizations: list[TopicOrganization] = Field(
        description="Those with most to do with its rise, the most first; empty where one organization was asked for."
    )
    channels: list[ChannelChange] = Field(description="Of one organization's risky topics.")


class TopicChanges(Compared):
    """Each topic and tone in the range and the one before it, over the organization-days stored and final in both."""

    topics: list[TopicChange] = Field(description="What rose most first.")
    tones: list[TopicChange]
