"""
The metrics of a run as they arrive over the network: at a StatsD server, and at an OpenTelemetry collector.

One run for 5 November that looks back three days, with something of everything in it; its metrics are counted by hand:

====  =================  ===================  =======================  ==================
      acme               bolt                 late                     poison
====  =================  ===================  =======================  ==================
5th   5 messages         2 messages           1 message                13: refused
4th   4: filled          empty: filled        13: refused              not tried
3rd   2 of 3: corrected  empty: filled        empty: filled            not tried
2nd   empty: filled      9 purged: kept       empty: filled            not tried
====  =================  ===================  =======================  ==================
"""

from __future__ import annotations

import gzip
import http.server
import json
import threading

import pytest
from airflow_dag import DAG_ID
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from versions.operating import metadata, pause, run_states, trigger

CONF = {"date": "2026-11-05", "lookback": 3}
METRICS = {
    "processed": 3,
    "failed": 1,
    "failed_earlier": 1,
    # poison lacks its 5th, late its 4th
    "behind": 2,
    "kept": 1,
    "filled": 6,
    "corrected": 1,
    "messages": 8,
}
BROKEN_CLIENT = """
from statsd import StatsClient

class Broken(StatsClient):
    def gauge(self, stat, *args, **kwargs):
        if stat.startswith("communication_trends"):
            raise OSError("nobody takes this gauge")
        super().gauge(stat, *args, **kwargs)
"""


class Collector(http.server.ThreadingHTTPServer):
    """Keeps what comes as OTLP over HTTP, as an OpenTelemetry collector does."""

    def __init__(self):
        self.requests: list[ExportMetricsServiceRequest] = []
        super().__init__(("127.0.0.1", 0), self.handler())

    def handler(self):
        kept = self.requests

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path == "/v1/metrics":
                    kept.append(ExportMetricsServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        return Handler


def otel_gauges(requests, prefix):
    """Return the gauges of a prefix, with their attributes, by the rest of their names: the latest value of each."""
    found = {}
    for metric in (
        metric
        for request in requests
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ):
        if metric.name.startswith(prefix):
            (point,) = metric.gauge.data_points
            tags = {one.key: one.value.string_value for one in point.attributes}
            found[metric.name.removeprefix(prefix)] = (point.as_double or point.as_int, tags)
    return found


@pytest.fixture(scope="module")
def collector():
    server = Collector()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def running(foreign, collector):
    """The Airflow of the tests before, with a scheduler."""
    airflow, database = foreign
    database.connection.execute("alter table communication_trends drop constraint if exists broken")
    airflow.start("scheduler")
    known = "select 1 from dag where dag_id = %s"
    airflow.wait_until(lambda: metadata(airflow, known, DAG_ID), what="the DAG is parsed")
    pause(airflow, DAG_ID, False)
    scheduled = "select 1 from dag_run where dag_id = %s and run_type = 'scheduled' and state in ('success', 'failed')"
    airflow.wait_until(lambda: metadata(airflow, scheduled, DAG_ID), what="the scheduled run has ended")
    yield foreign
    # while the collector still takes what it sends at its end
    airflow.stop("scheduler")


def ended(airflow, run_id):
    """Return the state of a run once it has ended."""

    def state():
        found = run_states(airflow, DAG_ID).get(run_id)
        return found if found in ("success", "failed") else None

    return airflow.wait_until(state, what=f"the run {run_id} has ended")


def restart(airflow, **settings):
    airflow.environment.update(settings)
    airflow.stop("scheduler")
    airflow.start("scheduler")


@pytest.fixture
def rows(running):
    """The rows that the table above has, and no trends but those."""
    _, database = running
    connection = database.connection
    connection.execute("truncate organizations cascade")
    database.organizations.clear()
    connection.execute("alter table communication_trends drop constraint if exists poison")
    connection.execute("alter table communication_trends add constraint poison check (total_classifications <> 13)")
    for slug, day, count in [
        ("acme", 5, 5),
        ("acme", 4, 4),
        ("acme", 3, 3),
        # so old that the source is known to go back further than the lookback
        ("bolt", 1, 1),
        ("bolt", 5, 2),
        ("late", 5, 1),
        ("late", 4, 13),
        ("poison", 5, 13),
    ]:
        database.classify(slug, at=f"2026-11-{day:02} 12:00:00", count=count)
    for slug, day, count in [("acme", 3, 2), ("bolt", 2, 9)]:
        connection.execute(
            "insert into communication_trends (organization_id, trend_date, trend_period, topic_distribution,"
            " sentiment_distribution, escalation_counts, channel_hotspots, total_classifications)"
            " values (%s, %s, 'daily', %s, '{}', '{}', '[]', %s)",
            (database.organization(slug), f"2026-11-{day:02}", json.dumps({"general": count}), count),
        )
    connection.execute("update organizations set created_at = '2026-10-01'")
    return database


def run(airflow, run_id):
    """Make the run, and return its state and seconds."""
    trigger(airflow, run_id, CONF)
    state = ended(airflow, run_id)
    (row,) = metadata(
        airflow, "select extract(epoch from end_date - start_date) as seconds from dag_run where run_id = %s", run_id
    )
    return state, float(row["seconds"])


def log_of_summarize(airflow, run_id):
    return "".join(
        path.read_text(errors="replace")
        for path in airflow.logs.rglob("*.log")
        if f"run_id={run_id}" in str(path) and "task_id=summarize" in str(path)
    )


def test_a_statsd_server_gets_each_figure_of_a_run_once(running, statsd, rows):
    airflow, _ = running
    # the scheduled run before is a name of its own
    scheduled = statsd.gauges("airflow.communication_trends.daily.schedule.")
    assert scheduled.pop("seconds")[0] > 0
    assert scheduled.keys() == METRICS.keys()
    assert set(scheduled["failed"]) == {0}
    statsd.packets.clear()
    state, seconds = run(airflow, "statsd")
    assert state == "failed"
    gauges = statsd.gauges("airflow.communication_trends.daily.manual.")
    (took,) = gauges.pop("seconds")
    assert 0 < took <= seconds
    assert gauges == {name: [value] for name, value in METRICS.items()}


def test_the_metrics_of_a_run_without_organizations_are_zeros(running, statsd):
    airflow, database = running
    database.connection.execute("truncate organizations cascade")
    statsd.packets.clear()
    state, _ = run(airflow, "nobody")
    assert state == "success"
    gauges = statsd.gauges("airflow.communication_trends.daily.manual.")
    assert gauges.pop("seconds")[0] > 0
    assert gauges == {name: [0] for name in METRICS}


def test_metrics_that_cannot_be_sent_fail_no_run_and_are_in_its_log(running, statsd, rows, tmp_path):
    airflow, database = running
    (tmp_path / "broken_statsd.py").write_text(BROKEN_CLIENT)
    client = "broken_statsd.Broken"
    restart(airflow, AIRFLOW__METRICS__STATSD_CUSTOM_CLIENT_PATH=client, PYTHONPATH=str(tmp_path))
    database.connection.execute("delete from topic_classifications")
    statsd.packets.clear()
    state, _ = run(airflow, "broken")
    assert state == "success"
    assert not statsd.gauges("airflow.communication_trends.")
    # Airflow's own went through the same client
    assert any(packet.startswith("airflow.") for packet in statsd.packets)
    log = log_of_summarize(airflow, "broken")
    assert "The run's metrics were not sent." in log
    assert "nobody takes this gauge" in log


def test_an_opentelemetry_collector_gets_each_figure_of_a_run(running, collector, rows):
    airflow, _ = running
    port = collector.server_address[1]
    restart(
        airflow,
        AIRFLOW__METRICS__STATSD_ON="False",
        AIRFLOW__METRICS__OTEL_ON="True",
        AIRFLOW__METRICS__OTEL_HOST="127.0.0.1",
        AIRFLOW__METRICS__OTEL_PORT=str(port),
        # the processes of task instances are gone long before
        AIRFLOW__METRICS__OTEL_INTERVAL_MILLISECONDS="600000",
    )
    state, seconds = run(airflow, "otel")
    assert state == "failed"
    prefix = "airflow.communication_trends.daily.manual."
    found = airflow.wait_until(lambda: otel_gauges(collector.requests, prefix), what="the metrics arrived")
    assert {json.dumps(tags) for _, tags in found.values()} == {
        json.dumps({"period": "daily", "triggered_by": "manual"})
    }
    values = {name: value for name, (value, _) in found.items()}
    assert 0 < values.pop("seconds") <= seconds
    assert values == METRICS
