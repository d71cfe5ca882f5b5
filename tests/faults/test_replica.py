"""Reading from a real streaming replica: how far it is, what it ends, what becomes of it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from conftest import DAY, NOV_1, made_role, server_folder
from psycopg.rows import dict_row
from second_server import later, now, opened, second_server
from waiting import in_background, wait_until

from communication_trends.core.database import SOURCE_TABLES, Database, Limits
from communication_trends.core.database_errors import is_lost
from communication_trends.core.errors import DatabaseUnavailableError, DatabaseUnusableError, OutdatedSnapshotError
from communication_trends.core.period import DAILY
from communication_trends.core.preflight import Preflight
from communication_trends.core.trend_reader import changes_until
from local import ROOT
from local.servers import SERVER_VARIABLE, Server, postgres

pytestmark = pytest.mark.skipif(SERVER_VARIABLE in os.environ, reason="needs the embedded server's own files")


@pytest.fixture
def replica(server, database) -> Iterator[Server]:
    """A streaming replica of the embedded server."""
    copy = ("pg_basebackup", "-d", server.dsn("postgres"), "-R", "-X", "stream", "-c", "fast")
    with second_server(database, *copy) as replica:
        yield replica


def wait_for_no_reader(replica: Server) -> None:
    """Have a replica end at once what keeps it from removing rows."""
    with replica.connect("postgres") as connection:
        connection.execute("alter system set max_standby_streaming_delay = 0")
        connection.execute("select pg_reload_conf()")
        show = "select current_setting('max_standby_streaming_delay') = '0'"
        wait_until(lambda: connection.execute(show).fetchone() == (True,))


@contextmanager
def paused(replica: Server) -> Iterator[None]:
    with replica.connect("postgres", row_factory=dict_row) as connection:
        connection.execute("select pg_wal_replay_pause()")
        is_paused = "select from pg_get_wal_replay_pause_state() as state where state = 'paused'"
        wait_until(lambda: connection.execute(is_paused).fetchall())
        yield
        # a replica that has been promoted since has nothing to resume
        with suppress(psycopg.Error):
            connection.execute("select pg_wal_replay_resume()")


def test_a_replica_that_is_behind_says_how_far(server, database, replica):
    with opened(server, database.name) as primary, opened(replica, database.name) as standby:
        # nothing has been written since, however long that is: the replica has it all
        standby.replication.wait_for_replica(now(), primary)
        with paused(replica):
            database.classify("acme", count=100)
            with pytest.raises(DatabaseUnavailableError) as raised:
                standby.replication.wait_for_replica(later(), primary)
            message = str(raised.value)
            assert "connection 'a': the replica has replayed" in message
            missing = int(message.split("; ")[1].split(" bytes")[0])
            assert 1_000 < missing < 10_000_000
            assert "Its replay is paused: select pg_wal_replay_resume()" in message
            assert is_lost(raised.value)
        # a moment to come is reached too: the replica has all that there is
        standby.replication.wait_for_replica(later(), primary)
        with standby.transaction(read_only=True) as transaction:
            assert transaction.rows("select count(*) as n from topic_classifications") == [{"n": 100}]


def test_a_moment_that_has_been_replayed_is_past_whatever_is_missing(server, database, replica):
    with opened(server, database.name) as primary, opened(replica, database.name) as standby:
        yesterday = now() - datetime.timedelta(days=1)
        database.classify("acme")
        standby.replication.wait_for_replica(later(), primary)
        with paused(replica):
            database.classify("acme")
            standby.replication.wait_for_replica(yesterday, primary)
            with pytest.raises(DatabaseUnavailableError, match=r"up to 2\d{3}-.* UTC, \d+ s behind"):
                standby.replication.wait_for_replica(now(), primary)


def test_any_role_may_ask(server, database, replica):
    with made_role(database.connection) as role:
        with opened(server, database.name) as primary, opened(replica, database.name) as standby:
            standby.replication.wait_for_replica(now(), primary)
        with (
            opened(server, database.name, user=role) as primary,
            opened(replica, database.name, user=role) as standby,
        ):
            standby.replication.wait_for_replica(now(), primary)


def test_what_the_primary_has_not_committed_is_not_taken_for_unchanged(database, replica):
    with opened(replica, database.name) as standby:
        assert now() - changes_until(standby) > datetime.timedelta(hours=23)


def test_where_the_target_is_another_server_the_receiver_is_asked(server, database, replica):
    connection = database.connection
    connection.execute("create role asking login")
    try:
        with (
            server_folder() as folder,
            postgres(folder) as other,
            opened(other, "postgres") as target,
            opened(replica, database.name) as standby,
        ):
            wait_until(lambda: _is_caught_up(standby, target))
            with opened(replica, database.name, user="asking") as asking:
                with pytest.raises(DatabaseUnavailableError, match="only pg_read_all_stats may see: grant it"):
                    asking.replication.wait_for_replica(later(), target)
                connection.execute("grant pg_read_all_stats to asking")
                wait_until(lambda: _is_caught_up(asking, target))
            with paused(replica):
                database.classify("acme")
                with pytest.raises(DatabaseUnavailableError, match="bytes of its primary's log are missing"):
                    standby.replication.wait_for_replica(later(), target)
            # cut off from its primary, the replica cannot know whether there is more
            with replica.connect("postgres") as control:
                control.execute("alter system set primary_conninfo = ''")
                control.execute("select pg_reload_conf()")
                wait_until(lambda: not control.execute("select from pg_stat_wal_receiver").fetchall())
            with pytest.raises(DatabaseUnavailableError, match="the replica has replayed"):
                standby.replication.wait_for_replica(later(), target)
    finally:
        connection.execute("drop owned by asking; drop role asking")


def _is_caught_up(standby: Database, target: Database) -> bool:
    try:
        standby.replication.wait_for_replica(later(), target)
    except DatabaseUnavailableError:
        return False
    return True


def test_a_promoted_replica_serves_no_stale_numbers(server, database, replica):
    database.classify("acme", at="2026-11-01 12:00")
    with opened(server, database.name) as target, opened(replica, database.name) as source:
        source.replication.wait_for_replica(later(), target)
        assert source.replication.require_fed(now(), later(), target) == []
    with replica.connect("postgres") as control:
        control.execute("select pg_promote()")
    first = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
    midnight = datetime.datetime(2026, 11, 2, tzinfo=datetime.timezone.utc)
    next_midnight = midnight + datetime.timedelta(days=1)
    with opened(replica, database.name) as promoted, opened(server, database.name) as target:
        assert promoted.replication.wait_for_replica(later(), target) == []
        # it has messages of the period, and so may have all of them
        (note,) = promoted.replication.require_fed(first, midnight, target)
        assert note.startswith("connection 'a': it is a copy of the target's server that is no replica, such as one")
        assert "its latest message is of 2026-11-01 12:00:00: whether it still gets rows cannot be known" in note
        # none of the next period, nor has the target: zeros forever
        with pytest.raises(DatabaseUnusableError, match=r"2026-11-01 12:00:00, before the period: nothing shows that"):
            promoted.replication.require_fed(midnight, next_midnight, target)
        database.classify("acme", at="2026-11-02 00:00")
        assert len(promoted.replication.require_fed(first, midnight, target)) == 1
        with pytest.raises(DatabaseUnusableError) as raised:
            promoted.replication.require_fed(midnight, midnight + datetime.timedelta(seconds=1), target)
        assert str(raised.value).startswith("connection 'a': it is a copy of the target's server that is no replica")
        assert (
            "and gets no rows any more: its latest message before 2026-11-02 00:00 UTC is of 2026-11-01 12:00:00, the "
            "target's of 2026-11-02 00:00:00. Make it a replica again"
        ) in str(raised.value)
        # the other way round: the promoted one is where the application writes now, and trends are stored elsewhere
        assert target.replication.require_fed(midnight, later(), promoted) == []
        # a server is no copy of itself
        with opened(server, database.name) as same:
            assert same.replication.require_fed(midnight, later(), target) == []
        # a message from after the period is proof, whatever the target has
        with replica.connect(database.name) as control:
            control.execute(
                "insert into topic_classifications (organization_id, topic, created_at)"
                " select id, 'general', '2026-11-03' from organizations"
            )
        assert promoted.replication.require_fed(first, midnight, target) == []


def test_so_it_does_where_the_target_is_another_database_of_that_server(server, database, replica):
    database.classify("acme", at="2026-11-01 12:00")
    days = [datetime.datetime(2026, 11, day, tzinfo=datetime.timezone.utc) for day in (1, 2, 3)]
    with opened(server, database.name) as target, opened(replica, database.name) as source:
        source.replication.wait_for_replica(later(), target)
    with replica.connect("postgres") as control:
        control.execute("select pg_promote()")
    # of messages the target's database has none, and not even the table
    with opened(replica, database.name) as promoted, opened(server, "postgres") as target:
        (note,) = promoted.replication.require_fed(days[0], days[1], target)
        assert "whether it still gets rows cannot be known" in note
        with pytest.raises(DatabaseUnusableError, match="before the period"):
            promoted.replication.require_fed(days[1], days[2], target)


def test_a_promoted_replica_fails_the_run(server, database, replica, run_dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_REPLICA", replica.airflow_connection(database.name))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "replica")
    with opened(server, database.name) as target, opened(replica, database.name) as source:
        source.replication.wait_for_replica(later(), target)
    with replica.connect("postgres") as control:
        control.execute("select pg_promote()")
    database.classify("acme")
    run = run_dag(NOV_1, retries=3)
    assert run.tasks["list_organizations", -1] == "failed"
    assert "connection 'replica': it is a copy of the target's server that is no replica" in run.log
    assert database.trends() == {}


def test_behind_a_pooler_each_replica_has_to_have_replayed(server, database, replica):
    """A pooler gives the aggregation another server than the one that was waited for: here, the replica's clone."""
    database.classify("acme")
    with opened(server, database.name) as primary, opened(replica, database.name) as standby:
        standby.replication.wait_for_replica(later(), primary)
        with standby.transaction(read_only=True) as transaction:
            standby.replication.require_replayed(transaction, later())
        # as seen by a session of a pooler: the connection stays, the server does not
        with paused(replica), opened(replica, database.name) as pooled:
            pooled.is_replica = False
            database.classify("acme")
            with (
                pytest.raises(DatabaseUnavailableError, match="the replica has replayed"),
                pooled.transaction(read_only=True) as transaction,
            ):
                pooled.replication.require_replayed(transaction, later())
        with opened(replica, database.name) as pooled:
            with (
                pytest.raises(OutdatedSnapshotError, match="on another replica"),
                pooled.transaction(read_only=True) as transaction,
            ):
                wait_until(lambda: _has_replayed(primary, replica, database.name))
                pooled.replication.require_replayed(transaction, later())
            # which has all rows now
            assert pooled.read(lambda read: read.rows("select 1 as one"), ["organizations"], until=later()) == [
                {"one": 1}
            ]


def _has_replayed(primary: Database, replica: Server, name: str) -> bool:
    written = primary.read_row("primary_position.sql")["written"]
    with replica.connect(name, row_factory=dict_row) as connection:
        row = connection.execute("select pg_last_wal_replay_lsn() >= %s::pg_lsn as has_it", [written]).fetchone()
        return bool(row and row["has_it"])


def test_what_may_not_be_seen_is_said_and_fails_nothing(server, database, replica):
    """As where pg_control_system() is revoked from public, or a managed service has none."""
    connection = database.connection
    connection.execute("create role asking login; revoke execute on function pg_control_system() from public")
    connection.execute("revoke select on pg_subscription from public")
    try:
        with opened(server, database.name) as primary, opened(replica, database.name) as standby:
            standby.replication.wait_for_replica(later(), primary)
        with (
            opened(server, database.name, user="asking") as primary,
            opened(replica, database.name, user="asking") as standby,
        ):
            notes = standby.replication.wait_for_replica(
                datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc), primary
            )
            assert [note.split(" cannot be known")[0] for note in notes] == [
                "connection 'a': whether a subscription that fills the source tables is behind",
                "connection 'a': whether the target is its primary",
            ]
            assert "grant select on pg_subscription to the role" in notes[0]
            assert "grant execute on function pg_control_system() to the role" in notes[1]
            (note,) = standby.replication.require_fed(now(), later(), primary)
            assert "whether it is a copy of the target that gets no rows any more cannot be known" in note
            # what can still be known is: it is behind
            with paused(replica):
                database.classify("acme")
                with pytest.raises(DatabaseUnavailableError, match="the replica has replayed"):
                    standby.replication.wait_for_replica(later(), primary)
    finally:
        connection.execute("drop owned by asking; drop role asking")


def test_a_service_without_the_functions_of_a_replica_says_so_and_works(server, database, replica):
    """As Amazon Aurora, which has no pg_last_xact_replay_timestamp()."""
    database.classify("acme")
    with psycopg.connect(server.dsn(database.name), autocommit=True) as connection:
        connection.execute("set allow_system_table_mods = on")
        connection.execute("alter function pg_catalog.pg_last_xact_replay_timestamp() rename to not_in_aurora")
        connection.execute("alter function pg_catalog.pg_control_system() rename to not_there_either")
    with opened(server, database.name) as writer, opened(replica, database.name) as reader:
        with replica.connect(database.name, row_factory=dict_row) as connection:
            find = "select from pg_proc where proname = 'not_there_either'"
            wait_until(lambda: connection.execute(find).fetchall())
        notes = reader.replication.wait_for_replica(later(), writer)
        assert any("how far the replica has replayed cannot be known" in note for note in notes)
        assert any("whether the target is its primary cannot be known" in note for note in notes)
        assert (
            "copy of the target that gets no rows any more cannot be"
            in reader.replication.require_fed(now(), later(), writer)[0]
        )
        counted = reader.read(
            lambda reading: reading.rows("select count(*) as n from topic_classifications"), SOURCE_TABLES, later()
        )
        assert counted == [{"n": 1}]
        # the writer as the source: replicas' functions are not called there
        with opened(server, database.name) as source:
            assert source.replication.wait_for_replica(later(), writer) == []
            assert source.read(lambda reading: reading.rows("select 1 as one"), [], later()) == [{"one": 1}]


def test_what_a_replica_ends_to_go_on_is_no_conflict_with_another_run(server, database, replica):
    wait_for_no_reader(replica)
    database.classify("acme", count=100)
    with opened(server, database.name) as primary, opened(replica, database.name) as standby:
        standby.replication.wait_for_replica(now(), primary)
        with (
            pytest.raises(DatabaseUnavailableError) as raised,
            standby.transaction(read_only=True) as transaction,
        ):
            transaction.rows("select count(*) from topic_classifications")
            database.connection.execute("delete from topic_classifications")
            database.connection.execute("vacuum topic_classifications")
            transaction.rows("select pg_sleep(4)")
    assert "conflict with recovery" in str(raised.value)
    assert "hot_standby_feedback = on there, or a longer max_standby_streaming_delay" in str(raised.value)
    assert is_lost(raised.value)


def test_the_source_can_be_a_streaming_replica(server, database, replica, run_dag, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_REPLICA", replica.airflow_connection(database.name))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "replica")
    database.classify("acme", count=3)
    written = database.connection.execute("select pg_current_wal_lsn()::text as lsn").fetchone()["lsn"]
    with replica.connect(database.name, row_factory=dict_row) as standby:
        assert standby.execute("select pg_is_in_recovery() as standby").fetchone() == {"standby": True}
        wait_until(
            lambda: standby.execute("select pg_last_wal_replay_lsn() >= %s as there", [written]).fetchone()["there"]
        )
    run = run_dag(NOV_1)
    assert run.state == "success"
    assert database.trend("acme")["total_classifications"] == 3

    # and as the target it is refused, since it is read-only
    monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", replica.airflow_connection(database.name))
    run = run_dag(NOV_1)
    assert run.state == "failed"
    assert "the database is a standby, which stores nothing" in run.log


def test_a_run_waits_for_a_replica_that_is_behind(server, database, replica, run_dag, monkeypatch):
    """For the current day, since no replica can be made to lag since yesterday."""
    today = now().date().isoformat()
    monkeypatch.setenv("AIRFLOW_CONN_REPLICA", replica.airflow_connection(database.name))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "replica")
    with paused(replica):
        database.classify("acme", at=now().replace(tzinfo=None))
        run = run_dag({"date": today})
        assert run.state == "failed"
        assert "connection 'replica': the replica has replayed" in run.log
        assert "bytes of its primary's log are missing" in run.log
        assert database.trends() == {}
    run = run_dag({"date": today})
    assert run.state == "success"
    assert database.trend("acme", today)["total_classifications"] == 1


def test_a_replica_conflict_in_a_run_is_left_to_the_backoff(server, database, replica, run_dag, monkeypatch):
    wait_for_no_reader(replica)
    monkeypatch.setenv("AIRFLOW_CONN_REPLICA", replica.airflow_connection(database.name))
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__SOURCE_CONN_ID", "replica")
    connection = database.connection
    for slug in ("acme", "beta"):
        database.classify(slug, count=50)
    # reading takes its time, and during that time the replica cleans up what its snapshot needs
    connection.execute("alter table topic_classifications rename to classifications")
    view = "create or replace view topic_classifications as select c.* from classifications as c"
    connection.execute(f"{view} cross join (select pg_sleep(5) offset 0) as dozing")

    def clean_up_when_it_dozes() -> None:
        with server.connect(database.name) as primary, replica.connect(database.name) as standby:
            dozing = "select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
            wait_until(lambda: standby.execute(dozing).fetchall())
            primary.execute("delete from classifications where ctid in (select ctid from classifications limit 10)")
            primary.execute("vacuum classifications")

    with in_background(clean_up_when_it_dozes):
        run = run_dag({**NOV_1, "organizations_per_task": 5})
    assert run.state == "failed"
    assert "conflict with recovery" in run.log
    assert "hot_standby_feedback" in run.log
    assert "Another run stored the same trends" not in run.log
    assert database.trends() == {}
    connection.execute(view)
    assert run_dag(NOV_1).state == "success"


def test_an_unlogged_table_on_a_standby_is_named(server, database, replica):
    database.connection.execute("alter table escalation_alerts set unlogged")
    written = database.connection.execute("select pg_current_wal_lsn()::text as lsn").fetchone()["lsn"]
    with psycopg.connect(replica.dsn(database.name)) as standby:
        wait_until(lambda: standby.execute("select where pg_last_wal_replay_lsn() >= %s::pg_lsn", [written]).fetchall())
        standby.rollback()
        source = Database(standby, sql_path=ROOT / "sql", limits=Limits())
        (problem,) = Preflight(source, sides=["source"], period=DAILY.containing(DAY)).problems()
    assert "cannot access temporary or unlogged relations during recovery [SQLSTATE 0A000]" in problem.what
    assert "set an unlogged table logged on the primary" in problem.remedy
