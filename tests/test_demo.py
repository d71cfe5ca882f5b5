"""The demo's commands, run as a person runs them."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import time_machine
from conftest import server_folder, today

from demo import story
from local import ROOT
from local.servers import SERVER_VARIABLE, free_port, postgres

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
ONE_DAY = datetime.timedelta(days=1)


def yesterday() -> datetime.date:
    return today() - ONE_DAY


def last_monday() -> datetime.date:
    """Return the first day of the last week that has ended."""
    return yesterday() - datetime.timedelta(days=(yesterday().weekday() + 1) % 7 + 6)


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        SERVER_VARIABLE in os.environ,
        reason="the demo would keep its databases on the server that the environment names",
    ),
]


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The environment of a person: nothing of this test run's Airflow, and a home for the demo's files."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    with server_folder() as home:
        yield {**own, "COMMUNICATION_TRENDS_DEMO_HOME": str(home)}


def demo(environment, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo", *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)


def test_the_story_is_the_same_each_time(database, monkeypatch):
    monkeypatch.setattr(story, "DAYS", 10)
    counts = []
    assert not story.is_loaded(database.connection, yesterday())
    for _ in range(2):
        assert story.load(database.connection, yesterday()) > 20_000
        assert story.is_loaded(database.connection, yesterday())
        counts.append(
            database.connection.execute(
                "select slug, topic, count(*) as messages from topic_classifications"
                " join organizations on organizations.id = organization_id group by slug, topic order by slug, topic"
            ).fetchall()
        )
    assert counts[0] == counts[1]
    assert "quiet-harbor" not in {row["slug"] for row in counts[0]}


def test_the_demo_shows_yesterdays_trends(environment):
    run = demo(environment, "run")
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"communication_trends, {yesterday()} (UTC)" in run.stdout
    for organization in story.ORGANIZATIONS:
        assert organization.name in run.stdout
    assert "returns-desk" in run.stdout
    assert '"organizationsProcessed": 12' in run.stdout
    # before 03:00 UTC a backfill that includes yesterday would wait until then
    due = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=3)).date() - ONE_DAY
    assert due in (yesterday(), yesterday() - ONE_DAY)
    assert f"TO={due} " in run.stdout
    assert run.stderr == ""

    # of the last week a line for each organization, with as many messages as the story has
    week = [last_monday() + age * ONE_DAY for age in range(7)]
    title = f"communication_trends, {week[0]} to {week[6]} (UTC)"
    shown = run.stdout.partition(title)[2].partition("The summary")[0]
    for organization in story.ORGANIZATIONS:
        told = sum(len(list(story._messages(organization, day, yesterday()))) for day in week)
        (line,) = [line for line in shown.splitlines() if organization.name in line]
        assert line.split(organization.name)[1].split()[0] == f"{told:,}"


@pytest.fixture(scope="module")
def up(environment) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Start ``make up``, and return its process, its port and what it said; a test interrupts it."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "up"],
        # fewer entries than a backfill has runs, to be asked for page by page
        env={**environment, "PORT": str(port), "AIRFLOW__API__MAXIMUM_PAGE_LIMIT": "2"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        # as at a terminal: a shell has its background jobs ignore SIGINT, and their children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C stops it" in line:
            break
    yield process, port, said
    if process.poll() is None:
        interrupt(process)


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)


def test_up_serves_airflow_and_says_how_to_log_in(environment, up):
    _, port, said = up
    assert f"Airflow is up at http://127.0.0.1:{port}" in said
    assert "are there already" in said
    words = said.split()
    login = {"username": words[words.index("user") + 1], "password": words[words.index("password") + 1]}
    token = httpx.post(f"http://127.0.0.1:{port}/auth/token", json=login, timeout=30)
    assert token.is_success
    taken = demo({**environment, "PORT": str(port)}, "up")
    assert (taken.returncode, f"Port {port} is taken" in taken.stdout) == (1, True)


def test_a_backfill_while_up_runs_makes_the_days_from_first_to_last(environment, up):
    first = yesterday() - datetime.timedelta(days=9)
    run = demo(environment, "backfill", str(first), str(first + datetime.timedelta(days=2)))
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Using the Airflow that is up already" in run.stdout
    shown = [line.split() for line in run.stdout.splitlines() if "success" in line]
    assert shown == [[str(first + datetime.timedelta(days=age)), "success", "12", "12", "0", "0"] for age in range(3)]


def test_a_backfill_of_weeks_makes_those_that_begin_in_the_range(environment, up):
    first = last_monday() - 8 * ONE_DAY
    run = demo(environment, "backfill", str(first), str(last_monday() - ONE_DAY), "weekly")
    assert run.returncode == 0, run.stdout + run.stderr
    shown = [line.split() for line in run.stdout.splitlines() if "success" in line]
    assert shown == [[str(first + ONE_DAY), "success", "12", "12", "0", "0"]]


def test_a_backfill_right_after_another_is_made_and_tells_when_its_runs_fail(environment, up):
    day = str(yesterday() - datetime.timedelta(days=9))
    home = Path(environment["COMMUNICATION_TRENDS_DEMO_HOME"])
    with postgres(home) as server, server.connect("communication_trends") as connection:
        # an error that retrying does not help
        connection.execute("alter table communication_trends rename channel_hotspots to moved")
        run = demo(environment, "backfill", day, day)
        connection.execute("alter table communication_trends rename moved to channel_hotspots")
    assert run.returncode == 1, run.stdout + run.stderr
    assert [line.split()[:2] for line in run.stdout.splitlines() if line.startswith(f" {day}")] == [[day, "failed"]]
    assert "Runs have failed." in run.stdout


def test_up_ends_when_it_is_interrupted_and_the_server_with_it(environment, up):
    process, _, _ = up
    interrupt(process)
    assert not list(Path(environment["COMMUNICATION_TRENDS_DEMO_HOME"]).glob("postgres/postmaster.pid"))


def test_a_port_that_is_none_and_a_missing_connection_are_named(environment):
    run = demo({**environment, "PORT": "abc"}, "up")
    assert (run.returncode, "PORT=abc: not a port" in run.stdout) == (2, True)
    run = demo(environment, "load")
    assert (run.returncode, "AIRFLOW_CONN_COMMUNICATION_TRENDS_DB: set it" in run.stdout) == (2, True)


@pytest.mark.parametrize(
    ("first", "last", "period", "message"),
    [
        ("2026-11-31", "2026-12-01", "daily", "date: '2026-11-31' is not a date."),
        ("", "", "daily", "date: '' is not a date."),
        ("2026-11-02", "2026-11-01", "daily", "FROM must not be after TO"),
        ("2026-11-01", "2999-01-01", "monthly", "nor TO after"),
        ("2026-11-01", "2026-11-02", "yearly", "PERIOD=yearly: not a length of time"),
        (
            "2026-10-06",
            "2026-10-11",
            "weekly",
            "begins in it. For 2026-10-05 to 2026-10-11 give FROM=2026-10-05.",
        ),
        ("2026-09-02", "2026-09-30", "monthly", "no month begins in it"),
    ],
)
def test_a_range_that_is_none_is_refused_at_once(environment, first, last, period, message):
    run = demo(environment, "backfill", first, last, period)
    assert run.returncode == 2
    assert message in run.stdout


@pytest.mark.parametrize(
    ("now", "period", "last", "latest"),
    [
        ("2026-11-26 02:59", "daily", "2026-11-25", "2026-11-24"),
        ("2026-11-23 03:29", "weekly", "2026-11-22", "2026-11-15"),
        ("2026-11-26 12:00", "weekly", "2026-11-25", "2026-11-22"),
        ("2026-11-01 03:59", "monthly", "2026-10-31", "2026-09-30"),
    ],
)
def test_a_backfill_does_not_wait_for_runs_that_are_not_due_yet(capsys, now, period, last, latest):
    from demo import __main__ as commands

    with time_machine.travel(f"{now}+00:00", tick=False):
        assert str(commands.latest_date(commands.KINDS[period])) == latest
        assert commands.backfill(latest, last, period) == 2
    assert f"nor TO after {latest} (UTC)" in capsys.readouterr().out.replace("\n", " ")


def test_the_tutorial_does_what_it_says():
    """Its commands, typed as they stand there; a line of output that it shows has to be printed."""
    blocks = [
        re.sub("^    ", "", block, flags=re.M).strip()
        for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", TUTORIAL, re.M)
    ]
    # what is typed into the second terminal; in between, a line that begins with an ellipsis is of the output
    typed = blocks[next(number for number, block in enumerate(blocks) if "PASSWORD=" in block) :]
    assert typed.pop() == "make clean"
    shown = [re.findall("^… (.*) …$", block, re.M) for block in typed]
    script = "\n".join(
        re.sub("^… .*$", "", block, flags=re.M) + f"\nended=$?; echo; echo '== ended' {number} $ended"
        for number, block in enumerate(typed)
    )
    own = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    port = free_port()
    with server_folder() as clone:
        files = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
        )
        for name in files.stdout.splitlines():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
            # older than the environment, which make would renew otherwise
            os.utime(clone / name, (0, 0))
        (clone / ".venv").symlink_to(ROOT / ".venv")
        made = subprocess.run(["make", "demo"], cwd=clone, env=own, capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr
        up = subprocess.Popen(
            ["make", "up"],
            cwd=clone,
            env={**own, "PORT": str(port)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            assert up.stdout
            words = []
            for line in up.stdout:
                words += line.split()
                if "Ctrl-C stops it" in line:
                    break
            script = script.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
            script = script.replace("PASSWORD=…", f"PASSWORD={words[words.index('password') + 1]}")
            terminal = subprocess.run(["bash"], input=script, cwd=clone, env=own, capture_output=True, text=True)
        finally:
            os.killpg(up.pid, signal.SIGINT)
            up.wait(timeout=120)
    parts = re.split(r"== ended (\d+) (\d+)\n", terminal.stdout)
    printed, ended = parts[0::3], [int(code) for code in parts[2::3]]
    assert len(ended) == len(typed), terminal.stderr
    assert sum(map(len, shown)) == 1
    for number, lines in enumerate(shown):
        for line in lines:
            assert line in printed[number], printed[number]
    # the monitor fails on the gap, as the comment next to it says, and is content once it is filled
    gap, repaired = (number for number, block in enumerate(typed) if "freshness?fail=true" in block)
    assert [number for number, code in enumerate(ended) if code != 0] == [gap], terminal.stdout + terminal.stderr
    assert "error: 503" in terminal.stderr
    assert "0" in [line.strip() for line in printed[repaired + 1].splitlines()]
    assert sum("success" in line.split() for line in printed[-2].splitlines()) == 4
