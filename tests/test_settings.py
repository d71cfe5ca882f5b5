"""The settings, as they are given in the environment."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path

import pytest
from airflow_dag import load_bag

from communication_trends import settings
from communication_trends.connections import connected
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import KINDS
from local import ROOT


@pytest.fixture
def given(monkeypatch):
    return lambda name, value: monkeypatch.setenv(f"AIRFLOW__COMMUNICATION_TRENDS__{name.upper()}", value)


def test_the_defaults():
    assert settings.conn_id() == settings.source_conn_id() == "communication_trends_db"
    assert (settings.retries(), settings.retry_delay()) == (3, 60)
    assert (settings.hotspot_min_messages(), settings.hotspot_min_ratio()) == (10, decimal.Decimal("0.3"))
    assert settings.hotspot_topics() == ["complaint", "escalation"]
    assert settings.sql_path() == ROOT / "sql"


def test_the_source_is_the_same_connection_unless_it_is_set(given):
    given("conn_id", "main")
    assert settings.source_conn_id() == "main"
    given("source_conn_id", "replica")
    assert (settings.conn_id(), settings.source_conn_id()) == ("main", "replica")


def test_hotspot_topics_are_separated_by_commas(given):
    given("hotspot_topics", " request,, status update ")
    assert settings.hotspot_topics() == ["request", "status update"]


def test_sql_path_moves_the_templates(given, tmp_path: Path):
    (tmp_path / "aggregate_trends.sql").write_text("select 1")
    given("sql_path", str(tmp_path))
    assert settings.sql_path() == tmp_path


LIMITS = {
    "retries": (["0", "100"], ["-1", "101", "1000000000000", "many", "1.5", "nan", ""], "from 0 to 100", "3"),
    "retry_delay": (["0", "86400"], ["-1", "86401", "1e300", "inf", "nan", "-inf"], "from 0 to 86400", "60"),
    "hotspot_min_messages": (["1", "2147483647"], ["0", "3000000000", "nan"], "from 1 to 2147483647", "10"),
    "hotspot_min_ratio": (
        ["0", "1", "0.3333333333", "1e-10"],
        ["1.1", "-0.1", "30%", "NaN", "sNaN", "inf", "1e-11", "1e-999999"],
        "from 0 to 1",
        "0.3",
    ),
    "statement_timeout": (
        ["0.001", "86400"],
        ["0", "86401", "3000000", "1e300", "inf", "nan", "5min"],
        "from 0.001 to 86400",
        "300",
    ),
    "lock_timeout": (["0.001", "86400"], ["0", "86401", "1e300", "inf", "nan", "1m"], "from 0.001 to 86400", "60"),
    "max_parallel_organizations": (["1", "10000"], ["0", "10001", "1000000000000"], "from 1 to 10000", "16"),
    "organizations_per_task": (["1", "10000"], ["0", "10001", "1e3", "nan"], "from 1 to 10000", "1"),
    "keep_completed_runs": (["0", "1000000"], ["-1", "1000001", "1000000000000"], "from 0 to 1000000", "50"),
    "keep_failed_runs": (["0", "1000000"], ["-1", "1000001", "1000000000000"], "from 0 to 1000000", "100"),
}
"""Of each number what is accepted, what is not, its limits and its default."""


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, row in LIMITS.items() for value in row[0]])
def test_a_number_at_its_limits_is_accepted(given, name, value):
    given(name, value)
    found = getattr(settings, name)()
    assert found == type(found)(value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, row in LIMITS.items() for value in row[1]])
def test_a_number_beyond_its_limits_is_named_with_its_setting_its_limits_and_its_default(given, name, value):
    given(name, value)
    _, _, limits, default = LIMITS[name]
    with pytest.raises(InvalidInputError) as error:
        getattr(settings, name)()
    assert str(error.value).startswith(f"[communication_trends] {name}: {value!r} is not a ")
    assert str(error.value).endswith(f" {limits}. The default is {default}.")


@pytest.mark.parametrize("kind", KINDS.values())
def test_a_lookback_beyond_its_limits_is_named_with_its_setting(given, kind):
    name = f"lookback_{kind.noun}s"
    given(name, "366")
    assert settings.lookback(kind) == 366
    for value in ("367", "-1", "1000000000000", "nan"):
        given(name, value)
        with pytest.raises(InvalidInputError, match=rf"^\[communication_trends\] {name}: '{value}' .*from 0 to 366"):
            settings.lookback(kind)


def test_the_longest_statement_timeout_is_one_that_airflow_and_postgresql_take(given, database):
    given("statement_timeout", "86400")
    given("lock_timeout", "86400")
    assert settings.execution_timeout() == datetime.timedelta(days=20, seconds=200)
    with connected("communication_trends_db") as opened, opened.transaction(read_only=True) as transaction:
        (row,) = transaction.rows("select current_setting('statement_timeout') as longest")
    assert row["longest"] == "1d"


def test_a_huge_value_is_refused_in_a_message_of_bearable_length(given):
    given("retries", "9" * 5000)
    with pytest.raises(InvalidInputError, match=r"^\[communication_trends\] retries: '9{60}'… is not") as error:
        settings.retries()
    assert len(str(error.value)) < 200


def test_an_empty_connection_id_is_named_with_its_setting(given):
    for name in ("conn_id", "api_conn_id"):
        given(name, "")
        with pytest.raises(InvalidInputError, match=rf"^\[communication_trends\] {name}: '' is not the id"):
            getattr(settings, name)()


def test_hotspot_topics_that_are_no_text_are_named_with_their_setting(given):
    given("hotspot_topics", "complaint, \udcff")
    with pytest.raises(InvalidInputError, match=r"^\[communication_trends\] hotspot_topics: "):
        settings.hotspot_topics()


def test_a_max_map_length_of_airflow_that_maps_nothing_is_named(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "0")
    with pytest.raises(InvalidInputError, match=r"^\[core\] max_map_length: 0 is not"):
        settings.max_map_length()


@pytest.mark.parametrize(
    "name", ["retries", "statement_timeout", "max_parallel_organizations", "organizations_per_task"]
)
def test_a_setting_of_the_dags_beyond_its_limits_is_an_import_error_that_names_it(given, name):
    given(name, "1e300")
    errors = load_bag().import_errors
    assert any(f"[communication_trends] {name}: '1e300' is not" in error for error in errors.values())


@pytest.mark.parametrize(
    ("name", "value"), [("hotspot_min_messages", "3000000000"), ("lock_timeout", "inf"), ("hotspot_min_ratio", "nan")]
)
def test_a_setting_of_the_tasks_beyond_its_limits_fails_the_run_before_anything_is_written(
    given, database, run_dag, name, value
):
    database.classify("acme")
    given(name, value)
    run = run_dag({"date": "2026-11-01"})
    assert run.tasks["list_organizations", -1] == "failed"
    assert f"AirflowFailException: [communication_trends] {name}: '{value}' is not" in run.log
    assert database.trends() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hotspot_topics", " , "),
        ("sql_path", "/nowhere"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_setting(given, name, value):
    given(name, value)
    with pytest.raises(InvalidInputError, match=rf"^\[communication_trends\] {name}: ") as error:
        getattr(settings, name)()
    assert value in str(error.value)
