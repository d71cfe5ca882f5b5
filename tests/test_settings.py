"""The settings, as they are given in the environment."""

from __future__ import annotations

import datetime
import decimal
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from airflow_dag import load_bag

from communication_trends import __version__, settings
from communication_trends.connections import open_database
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import KINDS
from local import ROOT


def test_the_defaults():
    assert settings.conn_id() == settings.source_conn_id() == "communication_trends_db"
    assert (settings.retries(), settings.retry_delay()) == (3, 60)
    assert (settings.hotspot_min_messages(), settings.hotspot_min_ratio()) == (10, decimal.Decimal("0.3"))
    assert settings.hotspot_topics() == ["complaint", "escalation"]
    assert settings.sql_path() == ROOT / "sql"


def test_the_source_is_the_same_connection_unless_it_is_set(setting):
    setting("conn_id", "main")
    assert settings.source_conn_id() == "main"
    setting("source_conn_id", "replica")
    assert (settings.conn_id(), settings.source_conn_id()) == ("main", "replica")


def test_hotspot_topics_are_separated_by_commas(setting):
    setting("hotspot_topics", " request,, status update ")
    assert settings.hotspot_topics() == ["request", "status update"]


@pytest.mark.parametrize(("version", "named"), [("0.1.0\n", "0.1.0"), ("0.2.1\n", "0.2.1"), (None, "one before 0.2.0")])
def test_sql_of_another_release_is_named_in_one_sentence(setting, tmp_path: Path, version, named):
    (tmp_path / "aggregate_trends.sql").write_text("select 1")
    if version:
        (tmp_path / "VERSION").write_text(version)
    setting("sql_path", str(tmp_path))
    with pytest.raises(InvalidInputError) as error:
        settings.sql_path()
    assert str(error.value) == (
        f"The SQL in {tmp_path} is of release {named}, the package communication_trends of release {__version__}: take "
        "DAGs, plugins and SQL from the same release, and restart all components."
    )
    assert any(str(error.value) in text for text in load_bag().import_errors.values())


def test_a_dag_file_of_another_release_is_named_in_one_sentence(tmp_path: Path):
    for path in (ROOT / "dags").glob("*.py"):
        (tmp_path / path.name).write_text(path.read_text().replace(f'RELEASE = "{__version__}"', 'RELEASE = "0.3.0"'))
    errors = load_bag(str(tmp_path)).import_errors
    assert len(errors) == 2
    for path, text in errors.items():
        assert (
            f"ImportError: {tmp_path / path} is of release 0.3.0, the package communication_trends of release "
            f"{__version__}: take DAGs, plugins and SQL from the same release, and restart all components." in text
        )


def test_sql_is_found_in_the_dags_folder_without_a_dag_file_too(monkeypatch, tmp_path: Path):
    # of a folder that the page's process may not read, the others are still searched
    shutil.copytree(ROOT / "sql", tmp_path / "dags" / "sql")
    monkeypatch.setattr(settings, "PACKAGE", tmp_path / "plugins" / "communication_trends")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path / "dags"))
    assert settings.sql_path() == tmp_path / "dags" / "sql"


@pytest.mark.parametrize("has_sql", [False, True])
def test_a_sql_path_that_is_left_from_before_the_wheel_is_advised_to_be_left_out(
    setting, monkeypatch, tmp_path: Path, has_sql
):
    monkeypatch.setattr(settings, "PACKAGE", tmp_path)
    if has_sql:
        (tmp_path / "sql").mkdir()
    setting("sql_path", "/nowhere")
    ending = ", or leave it out." if has_sql else "."
    with pytest.raises(InvalidInputError, match=f"the package's sql/ was copied to{re.escape(ending)}$"):
        settings.sql_path()


def test_a_folder_without_permission_does_not_stop_the_search_and_is_named(tmp_path: Path):
    shutil.copytree(ROOT / "plugins", tmp_path / "plugins")
    (tmp_path / "sql").mkdir(mode=0)
    # as a user to whom permissions mean something
    script = (
        f"import os, sys; sys.path.insert(0, {str(tmp_path / 'plugins')!r})\n"
        "from communication_trends import settings; os.setuid(65534)\n"
        "for dags in sys.argv[1:]:\n"
        "  os.environ['AIRFLOW__CORE__DAGS_FOLDER'] = dags\n"
        "  try: print(settings.sql_path())\n"
        "  except settings.InvalidInputError as error: print(error)"
    )
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "dags"), str(ROOT / "dags")],
        capture_output=True,
        text=True,
        check=True,
    )
    refused, found = run.stdout.splitlines()[-2:]
    assert refused.startswith("[communication_trends] sql_path: no aggregate_trends.sql in ")
    assert f" or {tmp_path / 'sql'} (not readable) or " in refused
    assert found == str(ROOT / "sql")


MISSPELLED = {
    "AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_MIN_MESAGES": "AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_MIN_MESSAGES",
    "AIRFLOW__COMMUNICATION_TRENDS__LOOKBACK": "AIRFLOW__COMMUNICATION_TRENDS__LOOKBACK_",
    "AIRFLOW__COMMUNICATIONS_TRENDS__RETRIES": "AIRFLOW__COMMUNICATION_TRENDS__RETRIES",
    "AIRFLOW__COMMUNICATION_TREND__RETRY_DELAY": "AIRFLOW__COMMUNICATION_TRENDS__RETRY_DELAY",
    "AIRFLOW_COMMUNICATION_TRENDS_LOCK_TIMEOUT": "AIRFLOW__COMMUNICATION_TRENDS__LOCK_TIMEOUT",
    "AIRFLOW_COMMUNICATION_TRENDS__CONN_ID": "AIRFLOW__COMMUNICATION_TRENDS__CONN_ID",
    "AIRFLOW__COMMUNICATION_TRENDS_LOOKBACK_DAYS": "AIRFLOW__COMMUNICATION_TRENDS__LOOKBACK_DAYS",
    "AIRFLOW__COMMUNICATION_TRENDS__lookback_days": "AIRFLOW__COMMUNICATION_TRENDS__LOOKBACK_DAYS",
    "AIRFLOW___COMMUNICATION_TRENDS__CONN_ID": "AIRFLOW__COMMUNICATION_TRENDS__CONN_ID",
    "airflow__communication_trends__retries": "AIRFLOW__COMMUNICATION_TRENDS__RETRIES",
    "AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH_CMD": "AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH",
}


@pytest.mark.parametrize(("variable", "meant"), MISSPELLED.items())
def test_a_misspelled_variable_is_refused_with_the_nearest_setting(monkeypatch, variable, meant):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(InvalidInputError, match=rf"^{variable}: there is no such setting, the nearest is {meant}"):
        settings.refuse_unknown_settings()


def test_each_misspelled_name_in_airflow_cfg_is_refused_and_no_dag_is_made():
    wrong = {"communication_trends": {"hotspot_min_mesages": "5"}, "comunication_trends": {"retries": "5"}}
    settings.conf.read_dict(wrong)
    try:
        with pytest.raises(InvalidInputError) as error:
            settings.refuse_unknown_settings()
        assert str(error.value) == (
            "[communication_trends] hotspot_min_mesages: there is no such setting, the nearest is "
            "[communication_trends] hotspot_min_messages. [comunication_trends] retries: there is no such setting, the "
            "nearest is [communication_trends] retries. Correct or remove it."
        )
        assert any(str(error.value) in text for text in load_bag().import_errors.values())
        with pytest.raises(InvalidInputError):
            settings.check_run_settings()
    finally:
        for section in wrong:
            settings.conf.remove_section(section)


@pytest.fixture
def airflow_cfg():
    """Add sections to what Airflow has read of airflow.cfg."""
    added = {}

    def add(**sections):
        added.update(sections)
        settings.conf.read_dict(sections)

    yield add
    for section, options in added.items():
        for name in options:
            settings.conf.remove_option(section, name, remove_default=False)


def test_a_setting_below_a_heading_of_airflows_own_is_refused_and_one_below_anothers_is_not(airflow_cfg):
    airflow_cfg(core={"parallelism": "8"}, reports={"lookback_days": "3"})
    settings.refuse_unknown_settings()
    airflow_cfg(core={"lookback_days": "3"})
    with pytest.raises(InvalidInputError) as error:
        settings.refuse_unknown_settings()
    assert str(error.value) == (
        "[core] lookback_days: there is no such setting, the nearest is [communication_trends] lookback_days. Correct "
        "or remove it."
    )


@pytest.mark.parametrize("value", ["50% secret", "%(secret)s"])
def test_a_percent_sign_that_airflow_cfg_takes_for_a_reference_is_named_without_the_value(airflow_cfg, value):
    airflow_cfg(communication_trends={"conn_id": ""})
    settings.conf.read_string(f"[communication_trends]\nconn_id = {value}")
    with pytest.raises(InvalidInputError) as error:
        settings.check_all_settings()
    assert str(error.value) == "[communication_trends] conn_id: in airflow.cfg, write each % of the value as %%."


@pytest.mark.parametrize(
    "variable",
    [
        "AIRFLOW_CONN_COMMUNICATION_TRENDS_DB",
        "AIRFLOW_CONN_COMMUNICATION_TRENDS__DB",
        "AIRFLOW_VAR_COMMUNICATION_TRENDS_RETRIES",
        # what Kubernetes makes for a service of that name
        "AIRFLOW_COMMUNICATION_TRENDS_SERVICE_HOST",
        "AIRFLOW_COMMUNICATION_TRENDS_PORT_8080_TCP_ADDR",
        "COMMUNICATION_TRENDS_TEST_POSTGRES",
        "AIRFLOW__CORE__PARALLELISM",
    ],
)
def test_a_variable_of_another_program_is_not_refused(monkeypatch, variable):
    monkeypatch.setenv(variable, "1")
    settings.refuse_unknown_settings()


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
def test_a_number_at_its_limits_is_accepted(setting, name, value):
    setting(name, value)
    found = getattr(settings, name)()
    assert found == type(found)(value)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, row in LIMITS.items() for value in row[1]])
def test_a_number_beyond_its_limits_is_named_with_its_setting_its_limits_and_its_default(setting, name, value):
    setting(name, value)
    _, _, limits, default = LIMITS[name]
    with pytest.raises(InvalidInputError) as error:
        getattr(settings, name)()
    assert str(error.value).startswith(f"[communication_trends] {name}: {value!r} is not a ")
    assert str(error.value).endswith(f" {limits}. The default is {default}.")


@pytest.mark.parametrize("kind", KINDS.values())
def test_a_lookback_beyond_its_limits_is_named_with_its_setting(setting, kind):
    name = f"lookback_{kind.noun}s"
    setting(name, "366")
    assert settings.lookback(kind) == 366
    for value in ("367", "-1", "1000000000000", "nan"):
        setting(name, value)
        with pytest.raises(InvalidInputError, match=rf"^\[communication_trends\] {name}: '{value}' .*from 0 to 366"):
            settings.lookback(kind)


def test_the_longest_statement_timeout_is_one_that_airflow_and_postgresql_take(setting, database):
    setting("statement_timeout", "86400")
    setting("lock_timeout", "86400")
    assert settings.execution_timeout() == datetime.timedelta(days=20, seconds=200)
    with open_database("communication_trends_db") as opened, opened.transaction(read_only=True) as transaction:
        (row,) = transaction.rows("select current_setting('statement_timeout') as longest")
    assert row["longest"] == "1d"


def test_a_huge_value_is_refused_in_a_message_of_bearable_length(setting):
    setting("retries", "9" * 5000)
    with pytest.raises(InvalidInputError, match=r"^\[communication_trends\] retries: '9{60}'… is not") as error:
        settings.retries()
    assert len(str(error.value)) < 200


def test_an_empty_connection_id_is_named_with_its_setting(setting):
    for name in ("conn_id", "api_conn_id"):
        setting(name, "")
        with pytest.raises(InvalidInputError, match=rf"^\[communication_trends\] {name}: '' is not the id"):
            getattr(settings, name)()


@pytest.mark.parametrize(
    "written",
    [
        *('["complaint", "escalation"]', "'complaint, escalation'", '"complaint"', "{complaint}"),
        # airflow.cfg takes the lines below, further in, as part of the value
        *('complaint, "escalation"', "complaint; escalation", "complaint\nescalation"),
        # airflow.cfg has comments in lines of their own only
        *("complaint, escalation # risky", "complaint，escalation", "complaint、escalation"),
    ],
)
def test_hotspot_topics_in_quotes_or_as_another_list_are_refused(setting, written):
    setting("hotspot_topics", written)
    with pytest.raises(InvalidInputError, match=r"^\[communication_trends\] hotspot_topics: .* names no topic"):
        settings.hotspot_topics()


def test_hotspot_topics_that_are_no_text_are_named_with_their_setting(setting):
    setting("hotspot_topics", "complaint, \udcff")
    with pytest.raises(InvalidInputError, match=r"^\[communication_trends\] hotspot_topics: "):
        settings.hotspot_topics()


def test_a_max_map_length_of_airflow_that_maps_nothing_is_named(monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "0")
    with pytest.raises(InvalidInputError, match=r"^\[core\] max_map_length: 0 is not"):
        settings.max_map_length()


@pytest.mark.parametrize(
    "name", ["retries", "statement_timeout", "max_parallel_organizations", "organizations_per_task"]
)
def test_a_setting_of_the_dags_beyond_its_limits_is_an_import_error_that_names_it(setting, name):
    setting(name, "1e300")
    errors = load_bag().import_errors
    assert any(f"[communication_trends] {name}: '1e300' is not" in error for error in errors.values())


@pytest.mark.parametrize(
    ("name", "value"), [("hotspot_min_messages", "3000000000"), ("lock_timeout", "inf"), ("hotspot_min_ratio", "nan")]
)
def test_a_setting_of_the_tasks_beyond_its_limits_fails_the_run_before_anything_is_written(
    setting, database, run_dag, name, value
):
    database.classify("acme")
    setting(name, value)
    run = run_dag({"date": "2026-11-01"})
    assert run.tasks["list_organizations", -1] == "failed"
    assert f"AirflowFailException: [communication_trends] {name}: '{value}' is not" in run.log
    assert database.trends() == {}


@pytest.mark.parametrize(
    ("name", "read", "value"),
    [
        ("hotspot_topics", settings.hotspot_topics, " , "),
        ("sql_path", settings.sql_path, "/nowhere"),
        ("marks_path", settings.marks, "/nowhere"),
        # there, but only from where the tests run
        ("sql_path", settings.sql_path, "sql"),
        ("marks_path", settings.marks, "constraints.txt"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_setting(setting, name, read, value):
    setting(name, value)
    with pytest.raises(InvalidInputError, match=rf"^\[communication_trends\] {name}: ") as error:
        read()
    assert value in str(error.value)


def test_named_days_are_read_again_when_their_file_changes_whatever_it_begins_with(setting, tmp_path):
    path = tmp_path / "marks.txt"
    setting("marks_path", str(path))
    path.write_text("\ufeff2026-11-27 Black Friday\n", encoding="utf-8")
    assert [(str(mark.first), mark.name) for mark in settings.marks()] == [("2026-11-27", "Black Friday")]
    path.write_text("2026-12-24..2026-12-26 Christmas\n", encoding="utf-8")
    assert [(str(mark.last), mark.name) for mark in settings.marks()] == [("2026-12-26", "Christmas")]
    path.write_text("#" * 1_000_001, encoding="utf-8")
    with pytest.raises(InvalidInputError, match="1,000,001 bytes; 1,000,000 at most"):
        settings.marks()
