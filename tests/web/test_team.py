"""With teams, a DAG's tasks store trends with their team's connection; the page reads that one."""

from __future__ import annotations

import pytest

from communication_trends.core.period import DAILY
from communication_trends.web import answers, reading

pytest.importorskip("airflow.models.team", reason="teams came with Airflow 3.2")


@pytest.fixture
def team(monkeypatch):
    """The daily DAG in a bundle of a team; gone afterwards."""
    from airflow.models import dag
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.team import Team
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    bundle = "bundle_of_sales"

    def forget():
        dag._team_name_cache.clear()
        with create_session() as session:
            session.execute(delete(DagModel).where(DagModel.bundle_name == bundle))
            for model in (DagBundleModel, Team):
                for row in session.scalars(select(model).where(model.name.in_([bundle, "sales"]))):
                    session.delete(row)

    with create_session() as session:
        session.execute(delete(DagModel).where(DagModel.dag_id == DAILY.dag_id))
        made = DagBundleModel(name=bundle)
        made.teams = [Team(name="sales")]
        session.add(made)
        session.flush()
        session.add(DagModel(dag_id=DAILY.dag_id, bundle_name=bundle, fileloc="here"))
    dag._team_name_cache.clear()
    yield "SALES"
    forget()


@pytest.mark.parametrize("multi_team", [True, False])
def test_the_page_reads_the_connection_of_the_team(api, database, server, team, monkeypatch, multi_team):
    database.organization("of-the-team")
    every, of_team = (server.airflow_connection(one.connection.info.dbname) for one in (api, database))
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", every)
    monkeypatch.setenv(f"AIRFLOW_CONN__{team}___COMMUNICATION_TRENDS_DB", of_team)
    monkeypatch.setenv("AIRFLOW__CORE__MULTI_TEAM", str(multi_team))
    with reading.reading() as opened:
        found = answers.organizations(opened, "", 200, 0)
    slugs = [one.slug for one in found.organizations]
    assert slugs == ["of-the-team"] if multi_team else "acme" in slugs
