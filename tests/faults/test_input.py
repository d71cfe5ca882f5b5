"""Faults of the input: any conf at all is refused by name or means what it says; and no secret gets out."""

from __future__ import annotations

import copy
import json
import os

import pytest
from airflow.providers.common.compat.sdk import ParamValidationError
from airflow_dag import load_dag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import parse_date
from communication_trends.params import batch_size, requested_organizations

NOV_1 = {"date": "2026-11-01"}
PARAMS = {"date", "organizations", "force", "organizations_per_task", "lookback"}
PASSWORD = "r3cognizable-Passw0rd"

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
attacks = st.sampled_from(
    [
        "'; drop table organizations; --",
        "{{ 7 * 191 }}",
        "{% raw %}",
        "%(organization_ids)s",
        "%s",
        "..",
        "null",
        "💥",
        "İ",
    ]
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | attacks,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(value=anything)
def test_any_organizations_are_a_list_of_names_or_refused_by_name(value):
    try:
        names = requested_organizations(value)
    except InvalidInputError as error:
        assert str(error).startswith("organizations: ")
        assert "Give" in str(error)
    else:
        assert names is None if value is None else names and all(isinstance(name, str) and name for name in names)


@settings(max_examples=300, deadline=None)
@given(value=anything)
def test_any_date_is_a_date_or_refused_by_name(value):
    try:
        assert parse_date(value).isoformat() == value
    except InvalidInputError as error:
        assert str(error).startswith("date: ")
        assert "YYYY-MM-DD" in str(error)


@settings(max_examples=300, deadline=None)
@given(requested=anything, organizations=st.integers(0, 200_000), limit=st.integers(1, 5000))
def test_any_batch_size_is_one_that_airflow_can_map_or_refused_by_name(requested, organizations, limit):
    try:
        size = batch_size(requested, organizations, limit)
    except InvalidInputError as error:
        assert str(error).startswith("organizations_per_task: ")
    else:
        assert size >= requested >= 1
        assert -(-organizations // size) <= limit


@settings(max_examples=100, deadline=None)
@given(conf=st.dictionaries(st.sampled_from(sorted(PARAMS)), anything, min_size=1))
def test_any_conf_is_valid_for_the_params_or_refused_by_name(conf):
    params = copy.deepcopy(load_dag_once().params)
    try:
        params.update(conf)
    except ParamValidationError as error:
        assert any(f"param {name}" in str(error) for name in conf)
    else:
        assert isinstance(params["force"], bool)
        assert isinstance(params["organizations_per_task"], int | float)


_dags: list = []


def load_dag_once():
    if not _dags:
        _dags.append(load_dag())
    return _dags[0]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=st.lists(text | attacks, min_size=1, max_size=5).filter(lambda entries: any(e.strip() for e in entries)))
def test_organizations_that_do_not_exist_are_refused_and_nothing_is_written(database, run_dag, entries):
    database.classify("acme")
    run = run_dag({**NOV_1, "organizations": ["acme", *entries]})
    assert run.state == "failed"
    assert "organizations: unknown " in run.log
    assert run.tasks["list_organizations", -1] == "failed"
    assert database.trends() == {}


def test_a_huge_list_is_refused_in_a_message_of_bearable_length(database, run_dag):
    run = run_dag({**NOV_1, "organizations": [f"nobody-{number}" for number in range(20_000)]})
    assert run.state == "failed"
    (message,) = {line for line in run.log.splitlines() if "AirflowFailException: organizations: unknown" in line}
    assert "'nobody-49' and 19950 more" in message
    assert len(message) < 2_000


@pytest.mark.parametrize(
    "fault",
    [
        {"host": "127.0.0.1", "port": 1},
        {"schema": "no_such_database"},
        {"extra": {"options": "-c search_path=nowhere"}},
        {"extra": {"no_such_option": "1"}},
        {},
    ],
    ids=["nothing listens", "no such database", "no such schema", "no such option", "a trigger raises"],
)
def test_a_failing_run_tells_no_password_and_no_connection_uri(server, database, run_dag, monkeypatch, fault):
    from airflow.utils.session import create_session
    from sqlalchemy import text as sql

    database.classify("acme")
    database.connection.execute(
        "create function complain() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
        "create trigger complain before insert on communication_trends for each row execute function complain()"
    )
    given = {**json.loads(server.airflow_connection(database.name)), "password": PASSWORD, **fault}
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", json.dumps(given))
    run = run_dag(NOV_1)
    assert run.state == "failed"
    with create_session() as session:
        stored = [
            row[0]
            for table in ("rendered_task_instance_fields", "xcom", "log", "dag_run", "serialized_dag")
            for row in session.execute(sql(f"select {table}::text from {table}"))
        ]
    for told in (run.log, *stored):
        assert PASSWORD not in told
        assert "postgresql://" not in told
    assert os.environ["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"] not in run.log
