"""Data passed to the page's script, so that no name or threshold is spelled twice."""

from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

from communication_trends import __version__
from communication_trends.core.anomaly_wording import PLURALS
from communication_trends.core.period import KINDS
from communication_trends.web.access import may


def page_config(user: BaseUser) -> dict[str, Any]:
    """
    Return what `static/state.js` reads.

    :param user: who reads the page; whether the page offers to run a DAG depends on the permissions.
    """
    return {
        "periods": {
            kind.name: {
                "dagId": kind.dag_id,
                "delay": int(kind.run_delay.total_seconds()),
                "mayRun": may(user, kind.dag_id, "POST", DagAccessEntity.RUN),
            }
            for kind in KINDS.values()
        },
        "plurals": PLURALS,
        "version": __version__,
    }
