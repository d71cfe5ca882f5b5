"""Data passed to the page's script, so that no name or threshold is spelled twice."""

from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.models.dag import DagModel

from communication_trends import __version__
from communication_trends.core.anomaly_wording import PLURALS
from communication_trends.core.period import DAILY, MONTHLY, WEEKLY


def facts(user: BaseUser) -> dict[str, Any]:
    """
    Return what `static/state.js` reads.

    :param user: who reads the page; whether the page offers to run a DAG depends on the permissions.
    """
    return {
        "periods": {
            kind.name: {
                "dagId": kind.dag_id,
                "delay": int(kind.run_delay.total_seconds()),
                "mayRun": may_run(user, kind.dag_id),
            }
            for kind in (DAILY, WEEKLY, MONTHLY)
        },
        "plurals": PLURALS,
        "version": __version__,
    }


def may_run(user: BaseUser, dag_id: str) -> bool:
    """
    Return whether a user may trigger a DAG, as Airflow's own route for it asks.

    :param user: the user.
    :param dag_id: the DAG.
    """
    return get_auth_manager().is_authorized_dag(
        method="POST",
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
        user=user,
    )
