"""What Airflow's plugin manager registers: by the file in the plugins folder, or by the wheel's entry point."""

from __future__ import annotations

import logging
from typing import Any

# Must stay first: names the package that is missing or too old, before the imports of Airflow fail obscurely.
from communication_trends import requirements  # isort: skip
from communication_trends.sdk import AirflowPlugin

# Imported here, though only the DAGs use it: task processes are forked from a parent that has loaded the plugins, and
# importing the PostgreSQL hook is what would cost each of them most.
from communication_trends import __version__, operators  # noqa: F401
from communication_trends.compat import HAS_EXTERNAL_VIEWS
from communication_trends.timetable import TIMETABLES
from communication_trends.web import EXTERNAL_VIEWS, FASTAPI_APPS

if twice := requirements.installed_twice():
    logging.getLogger(__name__).warning(twice)


class CommunicationTrendsPlugin(AirflowPlugin):
    """What Airflow's plugin manager reads."""

    name = "communication_trends"
    timetables = TIMETABLES
    fastapi_apps = FASTAPI_APPS if HAS_EXTERNAL_VIEWS else []
    external_views = EXTERNAL_VIEWS if HAS_EXTERNAL_VIEWS else []

    # Airflow lists where it found a plugin, but of a file in the plugins folder no version: so it is given with that
    @property
    def source(self) -> Any:  # type: ignore[override]
        """Where Airflow loaded this from, with the package's version: what ``airflow plugins`` shows."""
        return self._source

    @source.setter
    def source(self, found: Any) -> None:
        if hasattr(found, "path"):
            found.path = f"{found.path} ({__version__})"
        self._source = found
