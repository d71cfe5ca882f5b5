"""What the JSON of all answers has in common."""

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Kind = Literal["daily", "weekly", "monthly"]


class Model(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(alias_generator=lambda name: to_camel(name.rstrip("_")), populate_by_name=True)


class Ranged(Model):
    """An answer over a range of periods."""

    period: Kind = Field(description="Length of each period.")
    from_: datetime.date = Field(description="First date of the first period.")
    to: datetime.date = Field(description="Last date of the last period.")
    risky_topics: list[str] = Field(description="Topics that count as risky, of the settings at this moment.")


class Dates(Model):
    """A range by its first and last date."""

    from_: datetime.date
    to: datetime.date


class Ignored(Model):
    """Stored trends of the range that count for nothing, in no number."""

    off_grid: int = Field(description="Begin where no period begins, as a week from a Sunday.")
    of_no_organization: int = Field(description="Their organization is not known.")
    before_existence: int = Field(description="Are empty, and of a period before their organization existed.")
