"""Who may see it: users who may read the daily DAG, as Airflow's auth manager has it."""

from collections.abc import Callable
from typing import Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.models.dag import DagModel
from fastapi import HTTPException

from communication_trends.core.period import DAILY


def may(
    user: BaseUser, dag_id: str, method: Literal["GET", "POST"], access_entity: DagAccessEntity | None = None
) -> bool:
    """
    Return whether a user may do something with a DAG, as Airflow's own routes ask.

    :param user: the user.
    :param dag_id: the DAG.
    :param method: ``GET`` to read, ``POST`` to trigger.
    :param access_entity: what of the DAG it is about besides the DAG itself.
    """
    return get_auth_manager().is_authorized_dag(
        method=method,
        access_entity=access_entity,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
        user=user,
    )


def requires_dag(access_entity: DagAccessEntity | None = None) -> Callable[[GetUserDep], None]:
    """
    Return a dependency that lets only users in who may read the DAG: 401 without a login, 403 for others.

    Airflow's own ``requires_access_dag`` takes the id of a DAG only since 3.1.8.

    :param access_entity: what of the DAG must be readable besides it.
    """

    def check(user: GetUserDep) -> None:
        if not may(user, DAILY.dag_id, "GET", access_entity):
            raise HTTPException(403, "Forbidden")

    return check
