"""The command line, where the package is in the plugins folder: what it says of whole and of broken installations."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import insert_trend

from communication_trends import __version__, check
from communication_trends.core.statements import compose
from local import ROOT
from local.airflow import run_airflow


def command(*arguments, package=ROOT / "plugins" / "communication_trends", **environment):
    """Run it as docs/reference.md has it; return its exit code and what it says, by what each line is about."""
    run = subprocess.run(
        [sys.executable, str(package), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout


def failures(said):
    return [line.removeprefix("FAILED  ") for line in said.splitlines() if line.startswith("FAILED")]


def test_a_whole_installation(database):
    code, said = command("check")
    assert code == 0
    assert said.splitlines()[:4] == [
        f"ok      package: {__version__} in {ROOT}/plugins/communication_trends",
        "ok      plugin: registered with Airflow",
        "ok      settings: each is known, and has a value that can be used",
        f"ok      SQL: {__version__} in {ROOT}/sql",
    ]
    assert "/dags/communication_trends_periods.py: communication_trends_daily, communication_trends_m" in said
    assert said.splitlines()[-1] == (
        "ok      database: communication_trends_db: the source can be read and trends can be stored (tried, and rolled "
        "back)"
    )
    assert database.trends() == {}


def test_each_part_that_is_broken_is_named_and_the_others_are_still_checked(database, tmp_path):
    database.connection.execute("alter table communication_trends drop column avg_confidence")
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    (tmp_path / "sql" / "VERSION").write_text("0.1.0\n")
    (tmp_path / "dags").mkdir()
    dag_file = (ROOT / "dags" / "communication_trends_periods.py").read_text()
    (tmp_path / "dags" / "old.py").write_text(dag_file.replace(f'"{__version__}"', '"0.1.0"'))
    code, said = command(
        "check",
        AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path / "plugins"),
        AIRFLOW__CORE__DAGS_FOLDER=str(tmp_path / "dags"),
        AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH=str(tmp_path / "sql"),
        AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_MIN_MESAGES="50",
    )
    assert code == 1
    failed = failures(said)
    assert failed[0].startswith(
        "plugin: Airflow has not registered communication_trends.timetable.PeriodTimetable, "
        "communication_trends.timetable.UtcDayTimetable. A scheduler here would not run the DAGs"
    )
    assert failed[1].startswith(
        "settings: AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_MIN_MESAGES: there is no such setting"
    )
    assert failed[2].startswith(
        f"SQL: The SQL in {tmp_path}/sql is of release 0.1.0, the package communication_trends of"
    )
    assert failed[3].startswith(
        f"DAG file: {tmp_path}/dags/old.py: ImportError: {tmp_path}/dags/old.py is of release 0.1.0"
    )
    assert failed[4] == (
        f"DAG file: {tmp_path}/dags does not make communication_trends_daily, communication_trends_weekly, "
        "communication_trends_monthly"
    )
    assert failed[5].startswith("database: ")
    assert len(failed) == 6


def test_without_its_airflowignore_airflow_goes_on_and_the_check_says_so(tmp_path):
    plugins = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", plugins, ignore=shutil.ignore_patterns("__pycache__", ".airflowignore"))
    environment = {
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        "AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH": str(ROOT / "sql"),
    }
    # what each component does when it starts
    loaded = run_airflow(environment, "plugins", "-o", "json")
    assert "communication_trends" in [plugin["name"] for plugin in json.loads(loaded.stdout.splitlines()[-1])]
    code, said = command("check", "--no-database", package=plugins / "communication_trends", **environment)
    (failed,) = failures(said)
    assert (code, failed.partition(" as a plugin")[0]) == (1, "plugin: Airflow loads each module of the package")
    assert failed.endswith(f".airflowignore to the one in {plugins}.")


def test_a_plugins_folder_with_links_to_the_package(tmp_path):
    (tmp_path / "communication_trends").symlink_to(ROOT / "plugins" / "communication_trends")
    for name in ("communication_trends_plugin.py", ".airflowignore"):
        shutil.copy(ROOT / "plugins" / name, tmp_path)
    code, said = command(
        "check",
        "--no-database",
        package=tmp_path / "communication_trends",
        AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path),
    )
    assert code == 0, said
    assert "ok      plugin: registered with Airflow\n" in said


def test_sql_that_was_copied_without_its_folders_is_not_whole(tmp_path):
    (tmp_path / "sql").mkdir()
    for path in (ROOT / "sql").iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path / "sql")
    code, said = command("check", "--no-database", AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH=str(tmp_path / "sql"))
    assert code == 1
    assert "-       page: this Airflow has one\n" in said
    assert f"FAILED  SQL: [Errno 2] No such file or directory: '{tmp_path}/sql/reading/freshness.sql'\n" in said


# each file that a run, a notification or the page reads; the owner of the tables runs those of schema/
STATEMENTS = [path for path in sorted((ROOT / "sql").rglob("*.sql")) if path.parent.name != "schema"]


def test_each_single_statement_that_is_missing_is_named(monkeypatch, tmp_path):
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH", str(tmp_path / "sql"))
    assert list(check._tried("SQL", check._sql)) == [("ok", f"SQL: {__version__} in {tmp_path}/sql")]
    for path in STATEMENTS[1:]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.unlink()
        [(state, text)] = check._tried("SQL", check._sql)
        assert (state, path.name in text) == ("FAILED", True), path
        shutil.copy(path, copy)
    # the folder of the SQL is known by this one
    assert STATEMENTS[0].name == "aggregate_trends.sql"


def test_a_view_is_not_taken_from_a_statement_of_the_same_name(tmp_path):
    shutil.copytree(ROOT / "sql", tmp_path / "sql")
    (tmp_path / "sql" / "reading" / "stored_trends.sql").unlink()
    assert (tmp_path / "sql" / "stored_trends.sql").is_file()
    with pytest.raises(FileNotFoundError, match=r"no view stored_trends\.sql in .+/web or next to it"):
        compose(tmp_path / "sql" / "web" / "hotspots.sql")


def test_each_single_file_of_the_page_that_is_missing_is_named(monkeypatch, tmp_path):
    static = ROOT / "plugins" / "communication_trends" / "web" / "static"
    shutil.copytree(static, tmp_path / "static")
    monkeypatch.setattr("communication_trends.web.assets.STATIC", tmp_path / "static")
    assert list(check._tried_all("page", check._page())) == [("-", "page: this Airflow has one")]
    for path in sorted(static.iterdir()):
        (tmp_path / "static" / path.name).unlink()
        [(state, text)] = check._tried_all("page", check._page())
        assert (state, path.name in text) == ("FAILED", True), text
        shutil.copy(path, tmp_path / "static")


def test_a_package_without_the_pages_files_and_a_dag_file_that_cannot_be_read_are_named(tmp_path):
    plugins, dags = tmp_path / "plugins", tmp_path / "dags"
    shutil.copytree(ROOT / "plugins", plugins, ignore=shutil.ignore_patterns("__pycache__", "index.html", "static"))
    dags.mkdir()
    # root may read any file; this one nobody can
    (dags / "communication_trends_periods.py").symlink_to(tmp_path / "nowhere")
    code, said = command(
        "check",
        "--no-database",
        package=plugins / "communication_trends",
        AIRFLOW__CORE__PLUGINS_FOLDER=str(plugins),
        AIRFLOW__CORE__DAGS_FOLDER=str(dags),
        AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH=str(ROOT / "sql"),
    )
    assert code == 1
    assert "FAILED  page: [Errno 2] No such file or directory: " in said
    assert f"FAILED  DAG file: {dags} does not make communication_trends_daily" in said


def test_a_folder_without_dag_files_is_a_failure_only_if_it_was_asked_for(tmp_path):
    code, said = command("check", "--no-database", "--dags", str(tmp_path / "nowhere"))
    assert (code, f"FAILED  DAG file: none in {tmp_path}/nowhere; " in said) == (1, True)
    environment = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "nowhere"),
        "AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH": str(ROOT / "sql"),
    }
    code, said = command("check", "--no-database", **environment)
    assert (code, f"-       DAG file: none in {tmp_path}/nowhere; " in said) == (0, True)


def test_dag_files_of_before_0_2_0_and_two_that_make_the_same_dags_are_named(tmp_path):
    text = (ROOT / "dags" / "communication_trends_periods.py").read_text()
    (tmp_path / "one.py").write_text(text)
    environment = {"AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH": str(ROOT / "sql")}

    def failed(**where):
        _, said = command("check", "--no-database", "--dags", str(tmp_path), **{**environment, **where})
        return failures(said)

    assert failed() == []
    (tmp_path / "two.py").write_text(text)
    assert failed() == [
        f"DAG file: {tmp_path}/two.py makes {dag_id}, as {tmp_path}/one.py does: remove one of them"
        for dag_id in ("communication_trends_daily", "communication_trends_monthly", "communication_trends_weekly")
    ]
    # one without a release
    (tmp_path / "two.py").write_text(re.sub(r"RELEASE = .*?\n    \)\n", "", text, flags=re.DOTALL))
    before = [f"DAG file: {tmp_path}/two.py is of a release before 0.2.0, the package of release {__version__}"]
    assert failed() == before
    # and with an import of then
    (tmp_path / "two.py").write_text(
        "# a DAG file of Airflow\n"
        "from communication_trends import installation\n"
        "from communication_trends.operators import AggregateTrendsOperator\n"
    )
    assert failed() == before
    # a user's own DAG, and the plugins in the DAGs folder, as git-sync of a whole repository may have them
    (tmp_path / "two.py").write_text(
        "from airflow.providers.common.compat.sdk import DAG\n"
        "from communication_trends.operators import ASSETS\n"
        "DAG('consumer', schedule=list(ASSETS.values()))\n"
    )
    plugins = tmp_path / "plugins"
    shutil.copytree(ROOT / "plugins", plugins)
    where = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins), "PYTHONPATH": str(plugins)}
    assert failed(package=plugins / "communication_trends", **where) == []


def test_a_dag_file_that_an_airflowignore_excludes_makes_no_dags(tmp_path):
    environment = {"AIRFLOW__COMMUNICATION_TRENDS__SQL_PATH": str(ROOT / "sql")}
    excluded = f"-       DAG file: {tmp_path}/%s: Airflow does not read it, since a .airflowignore excludes it\n"
    (tmp_path / "old").mkdir()
    for name in ("one.py", "old/one.py"):
        shutil.copy(ROOT / "dags" / "communication_trends_periods.py", tmp_path / name)
    (tmp_path / ".airflowignore").write_text("old\n")
    # a copy that is put aside is not a second one
    code, said = command("check", "--no-database", "--dags", str(tmp_path), **environment)
    assert (code, excluded % "old/one.py" in said) == (0, True)
    (tmp_path / ".airflowignore").write_text("one.py\n")
    code, said = command("check", "--no-database", "--dags", str(tmp_path), **environment)
    assert (code, excluded % "one.py" in said) == (1, True)
    assert f"FAILED  DAG file: {tmp_path} does not make communication_trends_daily" in said


def test_a_table_that_lacks_a_column_a_connection_that_is_not_there_and_a_component_without_database(database):
    database.connection.execute("alter table communication_trends drop column avg_confidence")
    code, said = command("check")
    assert code == 1
    assert "FAILED  database: not ready. " in said
    assert "avg_confidence" in said
    code, said = command("check", AIRFLOW__COMMUNICATION_TRENDS__CONN_ID="nowhere")
    assert code == 1
    assert "FAILED  database: connection 'nowhere' is not defined." in said
    assert "see whether the secrets backend or the database that has it can be reached" in said
    code, said = command("check", "--no-database", AIRFLOW__COMMUNICATION_TRENDS__CONN_ID="nowhere")
    assert (code, "database" in said) == (0, False)


def test_names_that_cannot_be_read_are_said_since_runs_do_without(database):
    database.connection.execute("alter table organizations drop column name")
    code, said = command("check")
    note = said.splitlines()[-1]
    assert (code, note[:80]) == (0, "-       names: the page, freshness, anomalies and notifications do not work with")
    assert "column organizations.name does not exist" in note
    assert "FAILED  freshness: column organizations.name does not exist" in command("freshness")[1]


@pytest.mark.parametrize("period", ["daily", "monthly"])
def test_freshness_ends_with_0_only_if_each_organization_has_each_trend(database, period):
    now = datetime.datetime.now(datetime.timezone.utc)

    def fresh():
        return command("freshness", "--period", period, "--count", "2")

    assert fresh() == (1, "FAILED  there is no organization\n")
    for slug in ("acme", "bolt"):
        database.organization(slug)
    database.connection.execute("update organizations set created_at = '2024-01-01'")
    # the last period that was due an hour ago, and the one before: by hand
    if period == "daily":
        last = (now - datetime.timedelta(hours=4)).date() - datetime.timedelta(days=1)
        both = [last - datetime.timedelta(days=1), last]
    else:
        month = (now - datetime.timedelta(hours=5)).date().replace(day=1)
        last = (month - datetime.timedelta(days=1)).replace(day=1)
        both = [(last - datetime.timedelta(days=1)).replace(day=1), last]
    named = last if period == "daily" else f"{last} to {month - datetime.timedelta(days=1)}"
    nothing = (1, f"FAILED  no {period} trend is stored of {named} (UTC) or before\n")
    assert fresh() == nothing
    # the current period is not due: a manual run may have stored it
    database.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period) values (%s, %s, %s)",
        [database.organization("acme"), now.date().replace(day=1 if period == "monthly" else now.day), period],
    )
    assert fresh() == nothing
    for slug in ("acme", "bolt"):
        for date in both:
            insert_trend(database.connection, slug, date, {"total_classifications": 0}, period)
    code, said = fresh()
    assert code == 0
    assert said.startswith(f"ok      each of 2 organizations has its {period} trends up to ")
    assert said.endswith(f" (UTC), from {both[0]} on\n")
    # a range that begins before the first trend is known from there on
    assert command("freshness", "--period", period, "--count", "5") == (0, said)
    database.connection.execute(
        "delete from communication_trends where organization_id = %s and trend_date = %s",
        [database.organization("bolt"), last],
    )
    behind = f"FAILED  1 of 2 organizations have {period} trends missing, unreadable or not final, from {{}} (UTC) on\n"
    assert fresh() == (1, f"{behind.format(last)}-       bolt: 1 missing, the last one {last}\n")
    # one that is stored, but not final, is not said to be lacking
    insert_trend(database.connection, "bolt", last, {"total_classifications": 0}, period)
    database.connection.execute(
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, is_final)"
        " values (%s, %s, %s, false)",
        [database.organization("bolt"), both[0], period],
    )
    assert fresh() == (1, f"{behind.format(both[0])}-       bolt: 1 not final, the last one {both[0]}\n")
    database.connection.execute("alter table communication_trends rename to elsewhere")
    code, said = fresh()
    assert (code, said[:19]) == (1, "FAILED  freshness: ")


def test_the_documented_cron_job_prints_nothing_unless_trends_are_missing(database, monkeypatch):
    line = re.search(r"^    0 5 \* \* \*  (.*freshness 2.*)$", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE)
    assert line
    package = f'"{sys.executable}" "{ROOT}/plugins/communication_trends"'
    job = line[1].replace("python -m communication_trends", package)
    # Airflow then logs, to standard error
    monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "DEBUG")

    def mail():
        run = subprocess.run(["sh", "-c", job], capture_output=True, text=True, check=False)
        return run.stdout + run.stderr

    assert "FAILED  there is no organization\n" in mail()
    acme = database.organization("acme")
    database.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period)"
        " select %s, current_date - days, 'daily' from generate_series(1, 40) as days",
        [acme],
    )
    assert mail() == ""
