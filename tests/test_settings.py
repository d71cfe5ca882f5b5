"""The settings, as they are given in the environment."""

from __future__ import annotations

import decimal
from pathlib import Path

import pytest

from communication_trends import settings
from communication_trends.core.errors import InvalidInputError
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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("retries", "many"),
        ("retries", "-1"),
        ("retries", "1.5"),
        ("retry_delay", "-1"),
        ("retry_delay", "nan"),
        ("hotspot_min_messages", "0"),
        ("hotspot_min_ratio", "30%"),
        ("hotspot_min_ratio", "1.1"),
        ("hotspot_min_ratio", "NaN"),
        ("hotspot_topics", " , "),
        ("statement_timeout", "0"),
        ("lock_timeout", "1m"),
        ("max_parallel_organizations", "0"),
        ("sql_path", "/nowhere"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_setting(given, name, value):
    given(name, value)
    with pytest.raises(InvalidInputError, match=rf"^\[communication_trends\] {name}: ") as error:
        getattr(settings, name)()
    assert value in str(error.value)
