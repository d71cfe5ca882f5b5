"""The JSON of a run."""

import datetime

from pydantic import Field

from communication_trends.web.models.base import Kind, Model


class RunPeriod(Model):
    """The period that a run is for."""

    run_id: str
    period: Kind
    date: datetime.date = Field(description="Its first date, UTC.")
    to: datetime.date = Field(description="Its last date.")
    state: str
