"""A database that is away, or that accepts connections and never answers, against a real API server."""

from __future__ import annotations

import json
import socket
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from conftest import running_airflow_on
from receivers import StatsdServer, statsd_server

from communication_trends.web import kept_answers
from communication_trends.web.kept_answers import KeptAnswers, Made
from local.airflow import Airflow
from local.servers import free_port
from web.conftest import API

REQUESTS = 40


@pytest.fixture(scope="module")
def statsd() -> Iterator[StatsdServer]:
    with statsd_server() as statsd:
        yield statsd


@pytest.fixture(scope="module")
def airflow(server, statsd, tmp_path_factory) -> Iterator[tuple[Airflow, int]]:
    """An API server, and the port on loopback at which it looks for the database with the trends; nobody is there."""
    port = free_port()
    settings = {
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
    }
    with running_airflow_on(server, tmp_path_factory.mktemp("waiting"), **settings) as (airflow, _):
        connection = json.loads(airflow.environment["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"])
        airflow.environment["AIRFLOW_CONN_COMMUNICATION_TRENDS_DB"] = json.dumps(
            {**connection, "host": "127.0.0.1", "port": port}
        )
        airflow.start("api-server")
        yield airflow, port


def test_a_database_that_is_away_is_said_plainly(airflow):
    airflow, _ = airflow
    answer = airflow.request("GET", f"{API}/trends")
    assert answer.status_code == 503
    assert answer.json() == {"detail": "The database with the trends cannot be reached. Try again in a moment."}
    # the page itself needs no database
    assert airflow.request("GET", "/communication-trends/").status_code == 200


def test_airflow_answers_while_the_database_does_not(airflow, statsd):
    airflow, port = airflow
    # the kernel accepts the connections, and nothing is ever said
    with socket.create_server(("127.0.0.1", port), backlog=200):
        # the first request builds the application
        headers = airflow.request("GET", "/communication-trends/").request.headers

        def ask(number: int) -> httpx.Response:
            path = ["trends", "overview", "hotspots", "comparison", "organizations/acme/trends"][number % 5]
            return httpx.get(
                f"{airflow.url}{API}/{path}", headers={"Authorization": headers["authorization"]}, timeout=120
            )

        def health() -> float:
            started = time.monotonic()
            httpx.get(f"{airflow.url}/api/v2/monitor/health", timeout=60).raise_for_status()
            return time.monotonic() - started

        def lists_dags() -> float:
            started = time.monotonic()
            # one of the routes that take one of the shared threads
            httpx.get(
                f"{airflow.url}/api/v2/dags", headers={"Authorization": headers["authorization"]}, timeout=60
            ).raise_for_status()
            return time.monotonic() - started

        quiet = [health() for _ in range(3)]
        statsd.packets.clear()
        with ThreadPoolExecutor(REQUESTS) as threads:
            started = time.monotonic()
            asked = [threads.submit(ask, number) for number in range(REQUESTS)]
            time.sleep(0.5)
            waited = [which() for which in (health, lists_dags) * 5]
            answers = [one.result() for one in asked]
            took = time.monotonic() - started
        # a second, and what the machine is slower than usual by
        assert statistics.median(waited) < 1 + 3 * max(quiet)
        assert {answer.status_code for answer in answers} == {503}
        refused = [answer for answer in answers if answer.headers.get("retry-after")]
        # four wait for the database, and as many again after them; nobody else has a connection
        assert len(refused) >= REQUESTS - 8
        assert all("detail" in answer.json() for answer in answers)
        sent = [packet for packet in statsd.packets if packet.startswith("airflow.communication_trends.web.")]
        counted = {name: sum(f".{name}:" in packet for packet in sent) for name in ("requests", "duration", "refused")}
        assert counted == {"requests": REQUESTS, "duration": REQUESTS, "refused": len(refused)}
        assert took < 45


def waiting_for_lock(connection) -> int:
    return connection.execute(
        "select count(*) as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname ="
        " current_database()"
    ).fetchone()["waiting"]


def wait_for(reached, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not reached() and time.monotonic() < until:
        time.sleep(0.05)
    return reached()


def test_the_statement_of_a_request_that_the_browser_has_abandoned_is_canceled(web, server):
    headers = {"Authorization": f"Bearer {web.token('viewer')}"}
    web.get(f"{API}/trends")
    name = web.connection.info.dbname
    with server.connect(name) as locking, locking.transaction():
        locking.execute("lock table communication_trends")
        # more than there are slots
        for _ in range(6):
            with pytest.raises(httpx.ReadTimeout):
                httpx.get(f"{web.airflow.url}{API}/trends", headers=headers, timeout=httpx.Timeout(30, read=1))
        # each would wait for the lock for 5 seconds
        assert wait_for(lambda: waiting_for_lock(web.connection) == 0, 1.5)
    assert web.get(f"{API}/trends").status_code == 200


def test_a_monitor_tells_what_is_not_fresh_from_what_is_busy_or_broken_by_the_status(api, server):
    def ask(path: str, **parameters: str):
        return api.get(f"{API}/{path}", params=parameters)

    assert ask("freshness", fail="true").status_code == 503
    name = api.connection.info.dbname
    with server.connect(name) as locking, locking.transaction(), ThreadPoolExecutor(8) as threads:
        locking.execute("lock table communication_trends")
        people = [threads.submit(ask, "overview") for _ in range(4)]
        wait_for(lambda: waiting_for_lock(api.connection) == 4, 10)
        # all slots are taken, but not the monitor's
        monitor = threads.submit(ask, "freshness", fail="true")
        assert wait_for(lambda: waiting_for_lock(api.connection) == 5, 3)
        second = ask("freshness", fail="true")
        assert (second.status_code, second.headers["retry-after"]) == (429, "5")
        assert monitor.result().status_code == 502
        assert {one.result().status_code for one in people} == {503}
    # without fail, and for everybody else, as ever
    assert ask("freshness").status_code == 200


@contextmanager
def as_many_as_share(connection) -> Iterator[None]:
    """Add organizations that exist from after the ranges asked for on."""
    connection.execute(
        "insert into organizations (name, slug, created_at) select 'Many ' || n, 'many-' || n, '2026-10-30 01:00'"
        " from generate_series(1, %s) as numbers (n)",
        (kept_answers.SHARED_FROM,),
    )
    try:
        yield
    finally:
        connection.execute("delete from organizations where slug like 'many-%'")


def test_requests_for_the_same_answer_wait_for_one_of_them_and_for_another_if_its_client_goes(web, server):
    headers = {"Authorization": f"Bearer {web.token('viewer')}"}
    asked = "from=2026-10-01&to=2026-10-29"

    def ask(patience: float = 30) -> httpx.Response:
        url = f"{web.airflow.url}{API}/trends?{asked}"
        return httpx.get(url, headers=headers, timeout=httpx.Timeout(30, read=patience))

    name = web.connection.info.dbname
    with ThreadPoolExecutor(2) as threads:
        with server.connect(name) as locking, locking.transaction():
            # of few organizations, each makes its own
            locking.execute("lock table communication_trends")
            each = [threads.submit(ask) for _ in range(2)]
            assert wait_for(lambda: waiting_for_lock(web.connection) == 2, 5)
        assert [one.result().status_code for one in each] == [200] * 2
    with as_many_as_share(web.connection), ThreadPoolExecutor(8) as threads:
        with server.connect(name) as locking, locking.transaction():
            locking.execute("lock table communication_trends")
            leaving = threads.submit(ask, 1.5)
            assert wait_for(lambda: waiting_for_lock(web.connection) == 1, 5)
            # more than there are slots
            staying = [threads.submit(ask) for _ in range(6)]
            # another answer has a slot at once
            assert web.get(f"{API}/organizations").status_code == 200
            assert waiting_for_lock(web.connection) == 1
            with pytest.raises(httpx.ReadTimeout):
                leaving.result()
            # canceled, and one of the others is in its place
            time.sleep(1)
            assert waiting_for_lock(web.connection) == 1
        assert [one.result().status_code for one in staying] == [200] * 6
        assert {one.result().content for one in staying} == {web.get(f"{API}/trends?{asked}").content}
        # nor do they fail one after the other; another range, since that answer took long enough to be kept
        asked = "from=2026-10-02&to=2026-10-29"
        with server.connect(name) as locking, locking.transaction():
            locking.execute("lock table communication_trends")
            started = time.monotonic()
            assert {one.result().status_code for one in [threads.submit(ask) for _ in range(6)]} == {503}
            # once the time that a statement waits for a lock
            assert time.monotonic() - started < 10


def test_an_answer_that_took_long_is_kept_until_it_could_differ_one_that_did_not_is_made_again(api, server):
    asked = {"from": "2026-10-01", "to": "2026-10-29"}

    def ask(path: str, **parameters: str) -> httpx.Response:
        return api.get(f"{API}/{path}", params={**asked, **parameters})

    def ask_under_a_lock(path: str, seconds: float) -> httpx.Response:
        with server.connect(api.connection.info.dbname) as locking, ThreadPoolExecutor(1) as threads:
            with locking.transaction():
                locking.execute("lock table communication_trends")
                request = threads.submit(ask, path)
                assert wait_for(lambda: waiting_for_lock(api.connection) == 1, 5)
                time.sleep(seconds)
            return request.result()

    with as_many_as_share(api.connection):
        api.connection.execute("select pg_stat_force_next_flush()")
        with pytest.MonkeyPatch.context() as patched:
            # however busy the machine is
            patched.setattr(kept_answers, "WORTH_KEEPING", 60)
            quick = ask("comparison")
        slow = ask_under_a_lock("trends", 1.2)
        with server.connect(api.connection.info.dbname) as locking, locking.transaction():
            locking.execute("lock table communication_trends")
            again = ask("trends")
            assert (again.status_code, again.content) == (200, slow.content)
            assert again.headers["etag"] == slow.headers["etag"]
            # not what others ask for
            assert ask("trends", format="csv").status_code == 503
        assert ask_under_a_lock("comparison", 0).content == quick.content
        api.connection.execute("update communication_trends set total_classifications = total_classifications + 1")
        try:
            api.connection.execute("select pg_stat_force_next_flush()")
            assert wait_for(lambda: ask("trends").headers["etag"] != slow.headers["etag"], 15)
            more = sum(day["totalClassifications"] for day in ask("trends").json()["days"])
            stored = sum(day["organizationsStored"] for day in slow.json()["days"])
            assert more == sum(day["totalClassifications"] for day in slow.json()["days"]) + stored
        finally:
            api.connection.execute("update communication_trends set total_classifications = total_classifications - 1")
            api.connection.execute("select pg_stat_force_next_flush()")


def test_of_answers_that_are_kept_those_that_nobody_asks_for_make_room(monkeypatch):
    monkeypatch.setattr(kept_answers, "WORTH_KEEPING", 0)
    kept = KeptAnswers()

    def make(tag: str, size: int) -> None:
        assert kept.find_or_begin(tag) is None
        kept.end(tag, Made(b"x" * size))

    make("first", kept_answers.MAX_BYTES // 2)
    make("second", kept_answers.MAX_BYTES // 2)
    assert kept.find_or_begin("first")
    make("third", 1)
    assert [bool(kept.find_or_begin(tag)) for tag in ("first", "third", "second")] == [True, True, False]
    # an error is not kept
    kept.end("second", Made(status=503))
    assert kept.find_or_begin("second") is None
    # what is larger than all of the room is not, and takes none of it
    kept.end("second", Made(b"x" * (kept_answers.MAX_BYTES + 1)))
    assert kept.find_or_begin("second") is None
    assert kept.find_or_begin("first")
