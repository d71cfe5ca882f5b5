"""What the API says of where trends are from: rules of hotspots, what is final, what has changed. Numbers by hand."""

from __future__ import annotations

import datetime
import json
from contextlib import ExitStack

import psycopg
import pytest
from conftest import made_role

from communication_trends.core.period import MONTHLY, WEEKLY
from web import rows
from web.conftest import API, read_csv

PRESENT = {"topics": ["complaint", "escalation"], "minMessages": 10, "minRatio": 0.3}
OTHER = {"topics": ["complaint"], "minMessages": 20, "minRatio": 0.55}
UNKNOWN = {"topics": None, "minMessages": None, "minRatio": None}
RANGE = {"from": "2026-10-10", "to": "2026-10-19"}
"""Ten days; acme has no trend of the 14th and the 15th."""
LONG_AGO = datetime.datetime(2026, 10, 11, 3, 0, 5, tzinfo=datetime.timezone.utc)


@pytest.fixture
def record(api):
    """Write provenance, and remove it all at the end."""

    def write(slug, date, *, connection=None, period="daily", changed_at=LONG_AGO, rule=PRESENT, **columns):
        values = {
            "organization_id": rows.organization_id(slug),
            "trend_date": date,
            "trend_period": period,
            "computed_at": LONG_AGO,
            "change": "filled",
            "is_final": True,
            "hotspot_rule": rule and json.dumps(rule),
            **({"changed_at": changed_at} if changed_at != "now" else {}),
            **columns,
        }
        (connection or api.connection).execute(
            f"insert into communication_trends_provenance ({', '.join(values)}"
            f"{', changed_at' if changed_at == 'now' else ''}) values ({', '.join(['%s'] * len(values))}"
            f"{', now()' if changed_at == 'now' else ''})",
            list(values.values()),
        )

    yield write
    api.connection.execute("truncate communication_trends_provenance")


@pytest.fixture
def unreadable(api, server, monkeypatch):
    """Make provenance unreadable in one of three ways, and undo that at the end."""
    table, undo = "communication_trends_provenance", ExitStack()

    def make(how):
        if how == "no table":
            api.connection.execute(f"alter table {table} rename to not_yet")
            undo.callback(api.connection.execute, f"alter table not_yet rename to {table}")
            return
        role = undo.enter_context(made_role(api.connection))
        api.connection.execute(f"grant select on organizations, communication_trends to {role}")
        if how == "row-level security":
            api.connection.execute(f"grant select on {table} to {role}; alter table {table} enable row level security")
            undo.callback(api.connection.execute, f"alter table {table} disable row level security")
        login = server.airflow_connection(api.connection.info.dbname, login=role, password="a-password")
        monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", login)

    with undo:
        yield make


def hotspot_rules(api, path="hotspots", **parameters):
    return api.get(f"{API}/{path}", params={**RANGE, **parameters}).json()["hotspotRules"]


def changed(api, since, path="trends", **parameters):
    answer = api.get(f"{API}/{path}", params={"changedSince": since, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()["changedPeriods"]


def test_trends_that_nobody_has_recorded_are_of_an_unknown_rule(api, record):
    # ten organizations, ten days, of which acme lacks two
    expected = {**UNKNOWN, "current": None, "trends": 98, "from": "2026-10-10", "to": "2026-10-19"}
    assert hotspot_rules(api) == [expected]
    assert hotspot_rules(api, organization="acme") == [{**expected, "trends": 8}]
    assert hotspot_rules(api, **{"from": "2026-07-01", "to": "2026-07-03"}) == []


def test_each_rule_of_the_range_says_which_trends_are_by_it(api, record):
    for day in (10, 11, 12):
        record("acme", f"2026-10-{day}", rule=OTHER)
    for day in (13, 16, 17):
        record("acme", f"2026-10-{day}")
    record("dune", "2026-10-12", rule=OTHER)
    # neither of the range, nor of its granularity, nor of a trend that is stored
    record("acme", "2026-10-20", rule={**OTHER, "minMessages": 30})
    record("acme", "2026-10-12", period="weekly", rule={**OTHER, "minMessages": 30})
    record("acme", "2026-10-14", rule={**OTHER, "minMessages": 30})
    others = {**OTHER, "current": False, "from": "2026-10-10", "to": "2026-10-12"}
    present = {**PRESENT, "current": True, "trends": 3, "from": "2026-10-13", "to": "2026-10-17"}
    unknown = {**UNKNOWN, "current": None}
    # of acme the 18th and the 19th are left; of the others ten days each, but for one of dune
    acme = [{**others, "trends": 3}, present, {**unknown, "trends": 2, "from": "2026-10-18", "to": "2026-10-19"}]
    assert hotspot_rules(api, organization="acme") == acme
    assert hotspot_rules(api, "organizations/acme/trends") == acme
    assert hotspot_rules(api) == [
        {**others, "trends": 4},
        {**unknown, "trends": 91, "from": "2026-10-10", "to": "2026-10-19"},
        present,
    ]


def test_a_rule_is_the_current_one_by_what_it_means(api, record, monkeypatch):
    record("acme", "2026-10-10", rule=OTHER)
    one_day = {"organization": "acme", "from": "2026-10-10", "to": "2026-10-10"}
    assert [rule["current"] for rule in hotspot_rules(api, **one_day)] == [False]
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_TOPICS", "complaint, complaint")
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_MIN_MESSAGES", "20")
    monkeypatch.setenv("AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_MIN_RATIO", "0.550")
    assert [rule["current"] for rule in hotspot_rules(api, **one_day)] == [True]


@pytest.mark.parametrize(("kind", "to"), [(WEEKLY, "2026-10-18"), (MONTHLY, "2026-10-31")])
def test_a_rule_of_a_week_or_month_holds_to_its_last_date(api, record, kind, to):
    first = kind.containing(datetime.date(2026, 10, 14)).first_date
    api.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period) values (%s, %s, %s)",
        [rows.organization_id("acme"), first, kind.name],
    )
    record("acme", first, period=kind.name, rule=OTHER)
    try:
        [found] = hotspot_rules(api, period=kind.name, **{"from": "2026-10-14", "to": "2026-10-14"})
        assert (found["trends"], found["from"], found["to"]) == (1, str(first), to)
    finally:
        api.connection.execute("delete from communication_trends where trend_period = %s", [kind.name])


def test_each_trend_says_whether_it_is_final_and_when_it_was_computed(api, record):
    computed_at = datetime.datetime(2026, 10, 12, 1, 2, 3, 456789, tzinfo=datetime.timezone.utc)
    record("acme", "2026-10-11", is_final=False, computed_at=computed_at)
    record("acme", "2026-10-12", computed_at=LONG_AGO)
    # what is kept from before: known to be final or not, not when it was computed
    record("acme", "2026-10-13", is_final=False, computed_at=None)
    record("acme", "2026-10-14")  # its trend has been deleted
    record("acme", "2026-10-12", period="weekly", is_final=False)
    asked = {"from": "2026-10-10", "to": "2026-10-14"}
    answer = api.get(f"{API}/organizations/acme/trends", params=asked).json()
    assert [(day["isFinal"], day["computedAt"]) for day in answer["days"]] == [
        (None, None),
        (False, "2026-10-12T01:02:03.456789Z"),
        (True, "2026-10-11T03:00:05Z"),
        (False, None),
        (None, None),
    ]
    entries = read_csv(api.get(f"{API}/organizations/acme/trends", params={**asked, "format": "csv"}))
    assert [(entry["isFinal"], entry["computedAt"]) for entry in entries] == [
        ("", ""),
        ("false", "2026-10-12T01:02:03.456789Z"),
        ("true", "2026-10-11T03:00:05Z"),
        ("false", ""),
        ("", ""),
    ]
    assert not {"isFinal", "computedAt"} & set(read_csv(api.get(f"{API}/trends", params={**asked, "format": "csv"}))[0])


@pytest.mark.parametrize("how", ["no table", "no privilege", "row-level security"])
def test_where_it_cannot_be_read_trends_are_there_and_nothing_is_said_of_their_origin(api, record, unreadable, how):
    record("acme", "2026-10-10")
    unreadable(how)
    assert hotspot_rules(api) is None
    assert len(api.get(f"{API}/hotspots", params=RANGE).json()["hotspots"]) > 1
    answer = api.get(f"{API}/organizations/acme/trends", params=RANGE).json()
    assert answer["hotspotRules"] is None
    assert answer["days"][0]["totalClassifications"] == rows.trend("acme", rows.DAYS[70])["total_classifications"]
    assert {day["isFinal"] for day in answer["days"]} == {None}
    # "nothing has changed" is not said either
    refused = api.get(f"{API}/trends", params={"changedSince": "2026-10-01T00:00:00Z"})
    assert refused.status_code == 503
    assert "sql/schema/" in refused.json()["detail"]


def test_what_has_changed_since_a_moment(api, record):
    moments = [LONG_AGO + datetime.timedelta(hours=hours) for hours in range(4)]
    record("acme", "2026-08-01", changed_at=moments[0])
    record("acme", "2026-10-10", changed_at=moments[1], change="corrected")
    record("dune", "2026-10-10", changed_at=moments[2])
    record("iris", "2026-10-10", changed_at=moments[2])
    record("acme", "2026-09-01", changed_at=moments[2], change="corrected")
    record("acme", "2026-10-05", changed_at=moments[3], period="weekly")
    record("fjord", "2026-10-10", changed_at=None, change=None)
    autumn = {"date": "2026-09-01", "filled": 0, "corrected": 1}
    everything = [
        {"date": "2026-08-01", "filled": 1, "corrected": 0},
        autumn,
        {"date": "2026-10-10", "filled": 2, "corrected": 1},
    ]
    # of all dates, whatever range is asked for
    assert changed(api, "2000-01-01T00:00:00Z", **RANGE) == everything
    assert changed(api, moments[0].isoformat()) == everything[1:]
    later = [autumn, {"date": "2026-10-10", "filled": 2, "corrected": 0}]
    assert changed(api, moments[1].isoformat()) == later
    # the same moment in another time zone: 04:00:05 UTC
    assert changed(api, "2026-10-11T09:30:05+05:30") == later
    assert changed(api, "2026-10-11T09:30:04.999999+05:30") == [autumn, everything[2]]
    assert changed(api, moments[2].isoformat()) == []
    assert changed(api, "2999-01-01T00:00:00Z") == []
    assert changed(api, moments[2].isoformat(), period="weekly") == [
        {"date": "2026-10-05", "filled": 1, "corrected": 0}
    ]
    one = "organizations/acme/trends"
    assert changed(api, moments[1].isoformat(), one) == [autumn]
    assert changed(api, moments[1].isoformat(), "organizations/harbor/trends") == []


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "20261101T030000Z"])
def test_any_moment_can_be_asked_for(api, record, moment):
    record("acme", "2026-10-10")
    assert len(changed(api, moment)) == (moment < "2026")


def test_nothing_is_said_of_changes_that_nobody_asked_for(api, record):
    record("acme", "2026-10-10")
    answer = api.get(f"{API}/trends", params=RANGE).json()
    assert (answer["changedPeriods"], answer["changesUntil"]) == (None, None)


def test_what_has_changed_as_csv(api, record):
    record("acme", "2026-09-01", change="corrected")
    record("acme", "2026-10-10")
    asked = {**RANGE, "changedSince": "2026-10-01T00:00:00Z", "format": "csv"}
    for path in ("trends", "organizations/acme/trends"):
        answer = api.get(f"{API}/{path}", params=asked)
        first, second = read_csv(answer)
        assert list(first) == ["date", "filled", "corrected", "changesUntil"]
        assert list(first.values())[:3] == ["2026-09-01", "0", "1"]
        assert list(second.values())[:3] == ["2026-10-10", "1", "0"]
        until = datetime.datetime.fromisoformat(first["changesUntil"])
        assert abs(until - datetime.datetime.now(datetime.timezone.utc)) < datetime.timedelta(minutes=5)
    assert read_csv(api.get(f"{API}/trends", params={**asked, "changedSince": "2999-01-01T00:00:00Z"})) == []


@pytest.mark.parametrize("has_written", [False, True])
def test_a_change_that_is_not_committed_yet_is_in_the_next_answer(api, server, record, has_written):
    with server.connect(api.connection.info.dbname) as writing, writing.transaction():
        # its changes are of this moment, whenever they are written and committed
        writing.execute("select now()")
        if has_written:
            record("acme", "2026-10-10", connection=writing, changed_at="now")
        first = api.get(f"{API}/trends", params={"changedSince": "2000-01-01T00:00:00Z"}).json()
        assert first["changedPeriods"] == []
        if not has_written:
            record("acme", "2026-10-10", connection=writing, changed_at="now")
    second = api.get(f"{API}/trends", params={"changedSince": first["changesUntil"]}).json()
    assert second["changedPeriods"] == [{"date": "2026-10-10", "filled": 1, "corrected": 0}]
    assert changed(api, second["changesUntil"]) == []


@pytest.mark.parametrize("sees_all", [False, True])
def test_a_role_that_only_reads_misses_no_change_of_the_one_that_writes(api, server, record, monkeypatch, sees_all):
    name = api.connection.info.dbname
    with made_role(api.connection) as role, server.connect(name) as writing:
        api.connection.execute(f"grant select on all tables in schema public to {role}")
        if sees_all:
            api.connection.execute(f"grant pg_read_all_stats to {role}")
        connection = server.airflow_connection(name, login=role, password="a-password")
        monkeypatch.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", connection)
        with writing.transaction():
            [began] = writing.execute("select now() as now").fetchone()
            first = api.get(f"{API}/trends", params={"changedSince": "2000-01-01T00:00:00Z"}).json()
            record("acme", "2026-10-10", connection=writing, changed_at="now")
        second = api.get(f"{API}/trends", params={"changedSince": first["changesUntil"]}).json()
        assert (first["changedPeriods"], len(second["changedPeriods"])) == ([], 1)
        until = datetime.datetime.fromisoformat(first["changesUntil"])
        # what it cannot see may be a day old
        assert (began - until > datetime.timedelta(hours=23)) != sees_all


def test_a_change_that_is_committed_while_it_is_asked_is_in_this_answer_or_the_next(api, server, record, monkeypatch):
    from communication_trends.core import trend_reader

    writing: psycopg.Connection = server.connect(api.connection.info.dbname)
    looked_up = trend_reader.changes_until

    def commit_after(database):
        until = looked_up(database)
        writing.commit()
        return until

    with writing:
        writing.autocommit = False
        record("acme", "2026-10-10", connection=writing, changed_at="now")
        monkeypatch.setattr(trend_reader, "changes_until", commit_after)
        first = api.get(f"{API}/trends", params={"changedSince": "2000-01-01T00:00:00Z"}).json()
    monkeypatch.undo()
    assert [period["date"] for period in first["changedPeriods"]] == ["2026-10-10"]


@pytest.mark.parametrize("value", ["2026-11-01T03:00:00", "2026-11-01", "yesterday", "", "2026-11-01T03:00:00 00:00"])
@pytest.mark.parametrize("path", ["trends", "organizations/acme/trends"])
def test_a_moment_that_is_none_or_has_no_time_zone_is_rejected(api, path, value):
    answer = api.get(f"{API}/{path}", params={"changedSince": value})
    assert answer.status_code == 422
    [problem] = answer.json()["detail"]
    assert problem["loc"] == ["query", "changedSince"]
    assert problem["input"] == value
    assert f"changedSince: {value}" in problem["msg"]
    assert "give one like 2026-11-01T03:00:00Z" in problem["msg"]


@pytest.mark.parametrize(
    "written",
    [
        {"changed_at": "infinity"},
        {"changed_at": "12000-01-01 00:00+00"},
        {"computed_at": "infinity"},
        {"computed_at": "12000-01-01 00:00+00"},
        {"rule": {"a": 1}},
        {"rule": "x"},
        {"rule": {**PRESENT, "topics": [1, None]}},
        {"rule": {**PRESENT, "minMessages": {}}},
        {"rule": {**PRESENT, "minRatio": 10**400}},
        {"rule": {**PRESENT, "minMessages": 10**400}},
    ],
    # the longest are no names
    ids=lambda written: str(written)[:40],
)
def test_what_a_user_has_written_into_the_provenance_takes_no_answer_down(api, record, written):
    record("acme", "2026-10-12", **written)
    for path in ("trends", "organizations/acme/trends", "hotspots", "overview", "comparison", "freshness", "attention"):
        parameters = {} if path == "attention" else RANGE
        answer = api.get(f"{API}/{path}", params=parameters)
        assert answer.status_code == 200, (path, answer.text)
    assert changed(api, "2026-10-12T00:00:00Z") == []
    if "rule" in written:
        unknown = {**UNKNOWN, "current": False, "trends": 1, "from": "2026-10-12", "to": "2026-10-12"}
        assert unknown in hotspot_rules(api, organization="acme")


@pytest.mark.parametrize("written", [None, 0, -1000])
def test_a_count_of_confidences_that_cannot_be_is_unknown(api, record, written):
    record("acme", "2026-10-12", messages_with_confidence=written)
    trend = rows.trend("acme", datetime.date(2026, 10, 12))
    total, average = trend["total_classifications"], trend["avg_confidence"]
    answer = api.get(f"{API}/organizations/acme/trends", params={"from": "2026-10-12", "to": "2026-10-12"}).json()
    assert answer["totals"]["classificationsWithConfidence"] == total
    assert (answer["totals"]["confidenceSum"], answer["totals"]["avgConfidence"]) == (total * average, average)


@pytest.mark.parametrize(
    "rule", ['{"topics": [], "minMessages": 1, "minRatio": 1e20000}', "[" * 3000 + "]" * 3000], ids=["wide", "deep"]
)
def test_a_rule_that_python_cannot_read_is_unknown(api, record, rule):
    """PostgreSQL takes more digits, and JSON that is nested deeper."""
    record("acme", "2026-10-12")
    api.connection.execute("update communication_trends_provenance set hotspot_rule = %s::jsonb", [rule])
    unknown = {**UNKNOWN, "current": False, "trends": 1, "from": "2026-10-12", "to": "2026-10-12"}
    assert unknown in hotspot_rules(api, organization="acme")
    for path in ("organizations/acme/trends", "hotspots"):
        assert api.get(f"{API}/{path}", params={**RANGE, "format": "csv"}).status_code == 200
