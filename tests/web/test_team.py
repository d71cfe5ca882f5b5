"""With teams, a DAG's tasks store trends with their team's connection; the page reads that one."""

from __future__ import annotations

import pytest

from communication_trends.core.period import DAILY
from web.conftest import API

pytest.importorskip("airflow.models.team", reason="teams came with Airflow 3.2")


@pytest.fixture
def team(monkeypatch):
    """The daily DAG in a bundle of a team, and then where it was before; other tests share the metadata database."""
    from airflow.models import dag
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.team import Team
    from airflow.utils.session import create_session

    bundle = "bundle_of_sales"
    with create_session() as session:
        made = DagBundleModel(name=bundle)
        made.teams = [Team(name="sales")]
        session.add(made)
        session.flush()
        known = session.get(DagModel, DAILY.dag_id)
        before = known and known.bundle_name
        if known:
            known.bundle_name = bundle
        else:
            session.add(DagModel(dag_id=DAILY.dag_id, bundle_name=bundle, fileloc="here"))
    dag._team_name_cache.clear()
    yield "SALES"
    dag._team_name_cache.clear()
    with create_session() as session:
        known = session.get_one(DagModel, DAILY.dag_id)
        if before:
            known.bundle_name = before
        else:
            session.delete(known)
        session.flush()
        for row in (session.get_one(DagBundleModel, bundle), session.get_one(Team, "sales")):
            session.delete(row)


@pytest.mark.parametrize("multi_team", [True, False])
def test_the_page_reads_the_connection_of_the_team(api, database, server, team, monkeypatch, multi_team):
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    viewer = SimpleAuthManagerUser(username="viewer", role="viewer", teams=["sales"])
    headers = {"Authorization": f"Bearer {get_auth_manager().generate_jwt(viewer)}"}
    database.organization("of-the-team")
    every, of_team = (server.airflow_connection(one.connection.info.dbname) for one in (api, database))
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", every)
    monkeypatch.setenv(f"AIRFLOW_CONN__{team}___COMMUNICATION_TRENDS_DB", of_team)
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", str(multi_team))
    # of nobody else's team
    assert api.get(f"{API}/organizations").status_code == 403
    answer = api.client.get(f"{API}/organizations", params={"limit": 200}, headers=headers)
    assert answer.status_code == 200, answer.text
    slugs = [one["slug"] for one in answer.json()["organizations"]]
    assert slugs == ["of-the-team"] if multi_team else "acme" in slugs
