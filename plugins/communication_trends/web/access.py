"""Who may see it: users who may read the daily DAG, as Airflow's auth manager has it."""

from collections.abc import Callable

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import HTTPException

from communication_trends.core.period import DAILY


def requires_dag(access_entity: DagAccessEntity | None = None) -> Callable[[GetUserDep], None]:
    """
    Return a dependency that lets only users in who may read the DAG: 401 without a login, 403 for others.

    Airflow's own ``requires_access_dag`` takes the id of a DAG only since 3.1.8.

    :param access_entity: what of the DAG must be readable besides it.
    """

    def check(user: GetUserDep) -> None:
        details = DagDetails(id=DAILY.dag_id, team_name=DagModel.get_team_name(DAILY.dag_id))
        if not get_auth_manager().is_authorized_dag(
            method="GET", access_entity=access_entity, details=details, user=user
        ):
            raise HTTPException(403, "Forbidden")

    return check
