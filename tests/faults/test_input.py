"""Faults of the input: a conf means what it says or is rejected with an error that names the field; no secret leaks."""

from __future__ import annotations

import copy
import json
import os

import psycopg
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, ParamValidationError
from airflow_dag import load_dag
from conftest import NOV_1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from communication_trends.connections import open_database
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import parse_date
from communication_trends.operators.list_organizations import requested_ids
from communication_trends.params import batch_size, refuse_ignored_conf, requested_organizations

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
def test_any_organizations_are_a_list_of_names_or_rejected_by_an_error_that_names_it(value):
    try:
        names = requested_organizations(value)
    except InvalidInputError as error:
        assert str(error).startswith("organizations: ")
        assert "Give" in str(error)
    else:
        assert names is None if value is None else names and all(isinstance(name, str) and name for name in names)


@settings(max_examples=300, deadline=None)
@given(value=anything)
def test_any_date_is_a_date_or_rejected_by_an_error_that_names_it(value):
    try:
        assert parse_date(value).isoformat() == value
    except InvalidInputError as error:
        assert str(error).startswith("date: ")
        assert "YYYY-MM-DD" in str(error)


@settings(max_examples=300, deadline=None)
@given(requested=anything, organizations=st.integers(0, 200_000), limit=st.integers(1, 5000))
def test_any_batch_size_is_one_that_airflow_can_map_or_rejected_by_an_error_that_names_it(
    requested, organizations, limit
):
    try:
        size = batch_size(requested, organizations, limit)
    except InvalidInputError as error:
        assert str(error).startswith("organizations_per_task: ")
    else:
        assert size >= requested >= 1
        assert -(-organizations // size) <= limit


@pytest.fixture(scope="module")
def params_of_the_dag():
    return load_dag().params


@settings(max_examples=100, deadline=None)
@given(conf=st.dictionaries(st.sampled_from(sorted(PARAMS)), anything, min_size=1))
def test_any_conf_is_valid_for_the_params_or_rejected_by_an_error_that_names_it(params_of_the_dag, conf):
    params = copy.deepcopy(params_of_the_dag)
    try:
        params.update(conf)
    except ParamValidationError as error:
        assert any(f"param {name}" in str(error) for name in conf)
    else:
        assert isinstance(params["force"], bool)
        assert isinstance(params["organizations_per_task"], int | float)


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


def refused_entries(run):
    """Return what the run says of unknown organizations, up to the remedy; the run has written nothing."""
    assert (run.state, run.tasks["list_organizations", -1]) == ("failed", "failed")
    (message,) = {line for line in run.log.splitlines() if "AirflowFailException: organizations: unknown" in line}
    return message.partition("organizations: unknown ")[2].partition(". Give")[0]


def test_an_unknown_entry_is_refused_next_to_an_organization_without_a_slug(database, run_dag):
    database.connection.execute("alter table organizations alter column slug drop not null")
    nameless = database.organization("nameless")
    database.classify("nameless")
    database.connection.execute("update organizations set slug = null")
    assert refused_entries(run_dag({**NOV_1, "organizations": [nameless, "typo"]})) == "'typo'"
    assert refused_entries(run_dag({**NOV_1, "organizations": ["None", "null"]})) == "'None', 'null'"
    run = run_dag({**NOV_1, "organizations": [nameless, nameless.upper()]})
    assert (run.state, run.summary["organizationsProcessed"], run.names) == ("success", 1, {0: nameless})


def test_each_entry_is_compared_exactly_but_for_blanks_around_it(database, run_dag):
    database.classify("acme")
    entries = ["acme", "ACME", "Acme", "ac me", "acme%", "ａcme"]
    unknown = "'ACME', 'Acme', 'ac me', 'acme%', '\\uff41cme'"
    assert refused_entries(run_dag({**NOV_1, "organizations": entries})) == unknown
    assert database.trends() == {}
    run = run_dag({**NOV_1, "organizations": [" acme", "acme\n", "acme", ""]})
    assert (run.state, run.summary["organizationsProcessed"]) == ("success", 1)


def test_an_entry_that_no_text_of_postgresql_can_be_is_unknown(database):
    # Airflow's own PostgreSQL refuses such a conf; other metadata databases do not
    id_ = database.organization("acme")
    with open_database("communication_trends_db") as source, source.transaction(read_only=True) as listing:
        assert requested_ids(["acme", id_.upper()], source, listing) == [id_, id_]
        with pytest.raises(AirflowFailException, match=r"unknown 'acme\\x00', '\\ud800'\. Give"):
            requested_ids(["acme", "acme\0", "\ud800"], source, listing)


def test_an_id_is_one_in_each_spelling_of_a_uuid_and_in_no_other(database, run_dag):
    id_ = database.organization("acme")
    database.organization("other")
    plain = id_.replace("-", "")
    for spelling in (id_.upper(), plain, f"{{{id_}}}", f"urn:uuid:{id_}", f"URN:UUID:{id_.upper()}", f"{{{plain}}}"):
        run = run_dag({**NOV_1, "organizations": [spelling]})
        assert (run.state, sorted(slug for slug, _ in database.trends())) == ("success", ["acme"]), spelling
    # what Python's UUID() takes for one as well
    odd = [f"{id_}}}", f"{{{id_}", f"uuid:{id_}", f"urn:{id_}", f"{plain[:1]}-{plain[1:]}", f"0x{plain[2:]}"]
    odd += ["０" + plain[1:], f"{plain[:8]}_{plain[9:]}", f"{id_} x"]
    assert refused_entries(run_dag({**NOV_1, "organizations": odd})) == ", ".join(map(ascii, odd))


def test_an_entry_that_is_one_organizations_id_and_anothers_slug_means_the_id(database, run_dag):
    acme, other = database.organization("acme"), database.organization("other")
    database.classify("acme")
    database.classify("other")
    database.connection.execute("update organizations set slug = %s where id = %s", (acme, other))
    run = run_dag({**NOV_1, "organizations": [acme]})
    assert (run.state, run.summary["organizationsProcessed"]) == ("success", 1)
    stored = database.connection.execute("select organization_id::text from communication_trends").fetchall()
    assert [row["organization_id"] for row in stored] == [acme]
    # a slug that only looks like an id
    slug = "11111111-2222-3333-4444-555555555555"
    database.connection.execute("update organizations set slug = %s where id = %s", (slug, other))
    assert run_dag({**NOV_1, "organizations": [slug]}).state == "success"
    assert len(database.trends()) == 2
    # a slug is what it says, not what the uuid is
    assert refused_entries(run_dag({**NOV_1, "organizations": [f"{{{slug}}}"]})) == f"'{{{slug}}}'"


ANY_CASE = "create collation any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"


@pytest.mark.parametrize(
    ("column_type", "needs", "names_it"),
    [
        ("character(20)", "", ["acme"]),
        ("varchar(20)", "", ["acme"]),
        pytest.param("citext", "create extension citext", ["acme"], marks=pytest.mark.extensions),
        pytest.param("text collate any_case", ANY_CASE, ["acme", "ACME"], marks=pytest.mark.extensions),
    ],
)
def test_which_entries_name_an_organization_the_database_says(database, run_dag, column_type, needs, names_it):
    database.classify("acme")
    try:
        database.connection.execute(needs)
    except psycopg.errors.FeatureNotSupported as error:
        pytest.skip(str(error))
    database.connection.execute(f"alter table organizations alter column slug type {column_type}")
    for entry in ("acme", "ACME"):
        database.connection.execute("delete from communication_trends")
        run = run_dag({**NOV_1, "organizations": [entry]})
        assert run.state == ("success" if entry in names_it else "failed"), run.log[-2000:]
        assert len(database.trends()) == (entry in names_it)
    assert refused_entries(run_dag({**NOV_1, "organizations": ["acme", "typo"]})) == "'typo'"


@pytest.mark.parametrize(
    "conf",
    [
        {"date": "2026-11-20"},
        {"organizations": ["acme"]},
        {"force": True},
        {"lookback": 3},
        {"organizations_per_task": 2},
        {"date": "2026-11-20", "force": False},
    ],
    ids=lambda conf: "+".join(conf),
)
def test_a_conf_that_airflow_would_ignore_is_refused_by_each_task(database, run_dag, monkeypatch, conf):
    monkeypatch.setenv("AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS", "False")
    database.classify("acme")
    run = run_dag(conf)
    assert run.state == "failed"
    (key, *_) = conf
    said = f"AirflowFailException: conf: Airflow ignores {key}, since [core] dag_run_conf_overrides_params is False"
    assert run.log.count(said) >= 2  # list_organizations and summarize
    assert run.tasks["list_organizations", -1] == run.tasks["summarize", -1] == "failed"
    assert database.trends() == {}


@pytest.mark.parametrize("conf", [None, {}, {"date": None, "organizations": None, "force": False, "lookback": None}])
def test_a_conf_that_means_the_same_is_not_refused_where_airflow_ignores_it(database, run_dag, monkeypatch, conf):
    monkeypatch.setenv("AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS", "False")
    database.classify("acme")
    run = run_dag(conf)
    assert (run.state, run.summary["organizationsProcessed"]) == ("success", 1)


@pytest.mark.parametrize("conf", [["date"], "2026-11-20", 1])
def test_a_conf_that_is_no_object_is_rejected_by_an_error_that_names_it(conf):
    with pytest.raises(InvalidInputError, match=r"^conf: .* is not a JSON object"):
        refuse_ignored_conf(conf, {"date": None})


@pytest.mark.parametrize("period", ["daily", "weekly", "monthly"])
def test_a_date_at_the_end_of_the_calendar_is_refused_as_in_the_future(database, run_dag, period):
    database.classify("acme")
    run = run_dag({"date": "9999-12-31"}, dag_id=f"communication_trends_{period}")
    assert run.state == "failed"
    assert "AirflowFailException: date: 9999-12-31 is in the future" in run.log
    assert "OverflowError" not in run.log
    assert database.trends(period) == {}


@pytest.mark.parametrize("period", ["daily", "weekly", "monthly"])
def test_a_date_at_the_beginning_of_the_calendar_is_stored_like_any_other(database, run_dag, period):
    database.classify("acme", at="0001-01-01 00:00", count=2)
    run = run_dag({"date": "0001-01-01", "lookback": 3}, dag_id=f"communication_trends_{period}")
    assert (run.state, run.summary["totalClassifications"], run.summary["lookback"]["periods"]) == ("success", 2, 0)
    assert {key: row["total_classifications"] for key, row in database.trends(period).items()} == {
        ("acme", "0001-01-01"): 2
    }


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
    database.on_write("raise 'no';")
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
