"""What is sent to people: by mail and by webhook, of runs through Airflow. Expected numbers by hand."""

from __future__ import annotations

import datetime
import json
import shutil
import sys

import pytest
from conftest import insert_trend
from receivers import mail_server, webhook_server
from working import since

from communication_trends import settings
from communication_trends.core.digest import _changed
from communication_trends.core.errors import InvalidInputError
from communication_trends.core.period import DAILY, WEEKLY, Period
from communication_trends.core.period_range import Range
from communication_trends.core.stored_anomalies import MAX_FINDINGS, MAX_HELD_ORGANIZATIONS
from communication_trends.core.totals import Sums
from communication_trends.notifiers import _attention_message, digest, find_attention, notify_digest
from local import ROOT

SMTP = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
SLACK = "airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier"
HOSTILE = "<img src=x onerror=alert(1)> {{ 7 * 7 }} & <!channel> @everyone\r\nBcc: x@example.com \u202egnp"
AS_TEXT = "‹img src=x onerror=alert(1)› {{ 7 * 7 }} & ‹!channel› ＠everyone Bcc: x＠example.com gnp"
AS_HTML = "&lt;img src=x onerror=alert(1)&gt; {{ 7 * 7 }} &amp; &lt;!channel&gt; @everyone Bcc: x@example.com gnp"
TUESDAY = datetime.date(2026, 11, 3)
WEEK = datetime.date(2026, 11, 2)
D = datetime.timedelta
THE_WEEK, SUNDAY = Period(WEEKLY, WEEK), Period(DAILY, WEEK + D(6))
ONE_WEEK = Range(THE_WEEK, THE_WEEK, THE_WEEK)
SEVEN_DAYS = Range(Period(DAILY, WEEK), SUNDAY, SUNDAY)
AFTERWARDS = datetime.datetime(2026, 11, 12, tzinfo=datetime.timezone.utc)
"""When a digest of that week is made."""
BASE = "https://airflow.example.com"
PAGE = f"{BASE}/plugin/communication-trends"


@pytest.fixture(scope="module")
def sql_of_a_run(tmp_path_factory):
    """Copy the statements, without those that only the page reads."""
    return shutil.copytree(ROOT / "sql", tmp_path_factory.mktemp("run") / "sql", ignore=lambda _, names: {"web"})


@pytest.fixture(autouse=True)
def _airflow_of_a_run(monkeypatch, setting, sql_of_a_run):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", f"{BASE}/")
    setting("sql_path", str(sql_of_a_run))


@pytest.fixture
def mailbox(monkeypatch, setting):
    """A mail server that either notifier writes to."""
    with mail_server() as mailbox:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.connection)
        for name in ("attention", "digest"):
            setting(f"{name}_notifier", SMTP)
            message = {"subject": f"{{{{ {name}.subject }}}}", "html_content": f"{{{{ {name}.html }}}}"}
            setting(f"{name}_notifier_kwargs", json.dumps({"to": "lead@example.com", **message}))
        yield mailbox


def store(database, slug, date, *, period="daily", topics, alerts=0, confidence=None):
    """Store a trend."""
    columns = {
        "topic_distribution": topics,
        "escalation_counts": {"high": alerts} if alerts else {},
        "total_classifications": sum(topics.values()),
        "avg_confidence": confidence,
    }
    database.organization(slug)
    insert_trend(database.connection, slug, date, columns, period)


def judged(database, date, run_id="this one"):
    """Return what is found on a day, of organizations that have existed for long, and what a run sends of it."""
    since(database, "2026-01-01")
    period, ids = Period(DAILY, date), list(database.organizations.values())
    found = find_attention(period, ids)
    assert found
    return found, _attention_message(period, found, ids, None, run_id)


def name(database, slug, text):
    database.connection.execute("update organizations set name = %s where id = %s", (text, database.organization(slug)))


def an_alarming_tuesday(database, slug="acme", alerts=58):
    """20 messages as on each of the eight Tuesdays before, but alerts."""
    quiet = {"complaint": 2, "general": 18}
    for week, count in enumerate([3, 2, 6, 4, 5, 2, 3, 6], start=1):
        store(database, slug, TUESDAY - D(7 * week), topics=quiet, alerts=count)
    # the source goes back further than the day: it is known to be complete
    database.classify(slug, topic="general", at=f"{TUESDAY - D(1)} 12:00")
    database.escalate(slug, "high", at=f"{TUESDAY - D(1)} 12:00")
    for topic, count in quiet.items():
        database.classify(slug, topic=topic, at=f"{TUESDAY} 12:00", count=count)
    database.escalate(slug, "critical", at=f"{TUESDAY} 13:00", count=alerts)


def test_a_run_says_what_is_unusual_and_the_notifier_is_called_once(database, run_dag, mailbox):
    an_alarming_tuesday(database)
    name(database, "acme", HOSTILE)
    database.classify("young", at=f"{TUESDAY} 12:00", count=500)
    run = run_dag({"date": str(TUESDAY)})
    assert run.state == "success"
    assert run.summary["attention"] == {
        "organizationsCompared": 1,
        "totalEntries": 1,
        "findings": [
            {
                "organization": "acme",
                "organizationId": str(database.organization("acme")),
                "name": " ".join(HOSTILE.replace("\u202e", "").split())[:79] + "…",
                "figure": "escalations",
                "direction": "up",
                "value": 58,
                "usualLow": 2,
                "usualHigh": 6,
                "comparedWith": 8,
                "sentence": "58 alerts; on Tuesdays usually 2 to 6",
                "state": "single",
                "since": "2026-11-03",
                "days": 1,
                "together": False,
            }
        ],
        "together": [],
    }
    ((recipients, mail),) = mailbox.mails
    assert recipients == ["lead@example.com"]
    assert mail["subject"] == "Communication trends, Tue, 3 Nov 2026: 1 unusual metric"
    assert mail["bcc"] is None
    content = mail.get_body(("html",)).get_content()
    query = "period=daily&amp;from=2026-09-08&amp;to=2026-11-03"
    link = f"{PAGE}?organization={database.organization('acme')}&amp;{query}"
    name_in_html = f'<a href="{link}"><b>{AS_HTML[: AS_HTML.index("x@ex")]}'
    assert name_in_html in content
    assert ": 58 alerts; on Tuesdays usually 2 to 6</li>" in content
    assert f'<p><a href="{PAGE}?{query}">' in content
    assert "<img" not in content


def test_what_lasts_is_sent_when_it_begins_and_when_it_is_over(database, run_dag, mailbox):
    """120 messages a day for eight weeks, of which 9 are risky; 45 from Wednesday to Sunday, but not on Saturday."""
    usual, risky = {"complaint": 9, "general": 111}, {"complaint": 45, "general": 75}
    wednesday = TUESDAY + D(1)
    for back in range(1, 57):
        store(database, "acme", wednesday - D(back), topics=usual)
    database.classify("acme", topic="general", at=f"{TUESDAY - D(60)} 12:00")
    for day in range(7):
        for topic, count in (risky if day in (0, 1, 2, 4) else usual).items():
            database.classify("acme", topic=topic, at=f"{wednesday + D(day)} 12:00", count=count)
    sent = []
    for day in range(7):
        run = run_dag({"date": str(wednesday + D(day)), "lookback": 0})
        metrics = [one["figure"] for one in run.summary["attention"]["findings"]]
        # the summary has what lasts on each of its days
        assert metrics == (["riskScore"] if day in (0, 1, 2, 4) else [])
        sent.append([mail["subject"] for _, mail in mailbox.mails])
        if day == 6:
            content = mailbox.mails[-1][1].get_body(("html",)).get_content()
            assert "<h3>No longer unusual</h3>" in content
            assert "until Sun, 8 Nov 2026: 38% of the messages are complaints or escalations;" in content
            assert "above usual for 4 days, since 4 Nov" in content
    first = "Communication trends, Wed, 4 Nov 2026: 1 unusual metric"
    # one day as usual does not end it
    over = "Communication trends, Tue, 10 Nov 2026: 1 no longer unusual"
    assert sent == [[first]] * 6 + [[first, over]]


def test_a_weekend_on_which_nothing_comes_is_no_end_of_a_silence(database, run_dag, mailbox):
    """120 messages on each working day for eight weeks; none from Wednesday to Monday."""
    wednesday = TUESDAY + D(1)
    for back in range(1, 57):
        date = wednesday - D(back)
        store(database, "acme", date, topics={"general": 120} if date.weekday() < 5 else {})
    database.classify("acme", topic="general", at=f"{TUESDAY - D(60)} 12:00")
    for day in (6, 7):
        database.classify("acme", topic="general", at=f"{wednesday + D(day)} 12:00", count=120)
    sent, named = [], []
    for day in range(8):
        run = run_dag({"date": str(wednesday + D(day)), "lookback": 0})
        named += [one["sentence"] for one in run.summary["attention"]["findings"]]
        sent.append(len(mailbox.mails))
    assert named == [
        "0 messages; on Wednesdays usually 120",
        "silent since 4 Nov, 2 days; on Thursdays usually 120 messages",
        "silent since 4 Nov, 3 days; on Fridays usually 120 messages",
        # there is nothing to say of the days themselves
        "silent since 4 Nov, 4 days; on Fridays usually 120 messages",
        "silent since 4 Nov, 5 days; on Fridays usually 120 messages",
        "silent since 4 Nov, 6 days; on Mondays usually 120 messages",
    ]
    assert sent == [1] * 7 + [2]
    assert mailbox.mails[0][1]["subject"] == "Communication trends, Wed, 4 Nov 2026: 1 unusual metric"
    content = mailbox.mails[1][1].get_body(("html",)).get_content()
    assert "until Mon, 9 Nov 2026: silent since 4 Nov, 6 days; on Mondays usually 120 messages" in content


def test_what_begins_or_ends_in_days_without_a_run_is_sent_by_the_next_one(database, run_dag, mailbox):
    """120 messages a day; none from Wednesday to Friday. No run of Wednesday, Thursday, Saturday and Sunday."""
    wednesday = TUESDAY + D(1)
    for back in range(1, 57):
        store(database, "acme", wednesday - D(back), topics={"general": 120})
    database.classify("acme", topic="general", at=f"{TUESDAY - D(60)} 12:00")
    for day in range(3, 7):
        database.classify("acme", topic="general", at=f"{wednesday + D(day)} 12:00", count=120)
    sent = []
    for day, filled in ((2, 2), (5, 2), (6, 0)):
        run = run_dag({"date": str(wednesday + D(day)), "lookback": 3})
        assert run.summary["lookback"]["filled"] == filled
        sent.append(len(mailbox.mails))
    assert sent == [1, 2, 2]
    first, second = [mail.get_body(("html",)).get_content() for _, mail in mailbox.mails]
    silence = "silent since 4 Nov, 3 days; on Fridays usually 120 messages"
    assert "<h3>Unusual</h3>" in first
    assert f": {silence}</li>" in first
    assert "<h3>Unusual</h3>" not in second
    assert f"until Fri, 6 Nov 2026: {silence}</li>" in second


def test_a_holiday_in_a_day_without_a_run_is_sent_by_the_next_one(database):
    """Six organizations have a fifth of their messages on two days; the run of the second has stored both."""
    for number in range(6):
        for back in range(-1, 57):
            date = TUESDAY - D(back)
            store(database, f"t{number}", date, topics={"general": 20 if back < 1 else 100})
            if back == 0:
                database.connection.execute(
                    "insert into communication_trends_provenance (organization_id, trend_date, trend_period,"
                    " computed_at, changed_at, change, is_final, run_id)"
                    " values (%s, %s, 'daily', now(), now(), 'filled', true, 'second')",
                    (database.organization(f"t{number}"), date),
                )
    _, message = judged(database, TUESDAY + D(1), "second")
    assert message
    assert "Many organizations\n- 6 of 6 organizations: messages far below usual;" in message.text
    # the run of the first day has said it
    assert judged(database, TUESDAY + D(1), "another")[1] is None


def test_what_the_day_before_had_is_not_sent_again(database):
    """Each day 1 to 4 alerts; 12 on four days, too few for the first three to be a state."""
    for back in range(-4, 57):
        alerts = 12 if -3 <= back <= 0 else [2, 3, 1, 4, 2][back % 5]
        store(database, "acme", TUESDAY - D(back), topics={"general": 20}, alerts=alerts)
    states, subjects = [], []
    for day in range(5):
        found, message = judged(database, TUESDAY + D(day))
        states.append([one.finding.state for one in found.findings])
        subjects.append(message.subject if message else None)
    assert states == [["single"], ["single"], ["single"], ["lasting"], []]
    assert subjects == ["Communication trends, Tue, 3 Nov 2026: 1 unusual metric", None, None, None, None]


def test_a_holiday_is_sent_once(database, run_dag, mailbox, setting, tmp_path):
    """Six organizations have a fifth of their messages on two days; the last of them begins on the second."""
    marks = tmp_path / "marks.txt"
    marks.write_text(f"{TUESDAY}..{TUESDAY + D(1)} <!channel> Day\n", encoding="utf-8")
    setting("marks_path", str(marks))
    for number in range(6):
        for back in range(-3, 57):
            is_holiday = back in (0, -1) and not (number == 5 and back == 0)
            store(database, f"t{number}", TUESDAY - D(back), topics={"general": 20 if is_holiday else 100})
    first, *later = [judged(database, TUESDAY + D(day))[1] for day in range(4)]
    assert first
    text = first.text
    assert later == [None, None, None]
    assert "Many organizations\n- 5 of 6 organizations: messages far below usual; ‹!channel› Day" in text
    assert ": 20 messages; on Tuesdays usually 100 (‹!channel› Day)" in text


def test_a_holiday_on_a_friday_is_sent_once(database, setting, tmp_path):
    """Six organizations without messages at weekends have none on Friday, 6 November, either."""
    friday = TUESDAY + D(3)
    marks = tmp_path / "marks.txt"
    marks.write_text(f"{friday} Harvest Day\n", encoding="utf-8")
    setting("marks_path", str(marks))
    for number in range(6):
        for back in range(-5, 60):
            date = friday - D(back)
            is_free = back == 0 or date.weekday() >= 5
            store(database, f"t{number}", date, topics={} if is_free else {"general": 120})
    named, messages, sentences, alike = [], [], [], []
    for day in range(6):
        found, message = judged(database, friday + D(day))
        sentences += sorted({one.finding.sentence for one in found.findings})
        named.append([(one.finding.days, one.is_together) for one in found.findings])
        alike += [(one.date - friday, one.sentence) for one in found.together]
        messages.append(message)
    assert named == [[(1, True)] * 6, [(2, True)] * 6, [(3, True)] * 6, [], [], []]
    assert sentences == [
        "0 messages; on Fridays usually 120 (Harvest Day)",
        "silent since 6 Nov, 2 days; on Fridays usually 120 (Harvest Day)",
        "silent since 6 Nov, 3 days; on Fridays usually 120 (Harvest Day)",
    ]
    assert messages[0]
    assert "Many organizations\n- 6 of 6 organizations: messages far below usual; Harvest Day" in messages[0].text
    assert messages[1:] == [None] * 5
    # on each day that marks them, also where a silence lasts over a weekend; in the digest of the week once
    assert alike == [(D(day), "6 of 6 organizations: messages far below usual; Harvest Day") for day in range(3)]


def test_a_holiday_from_friday_to_monday_is_sent_once(database):
    """Of six organizations none has messages from Friday, 6 November, to Monday; a seventh has alerts on Monday."""
    friday = TUESDAY + D(3)
    for number in range(7):
        for back in range(-3, 60):
            date = friday - D(back)
            is_free = date.weekday() >= 5 or (number < 6 and back in (0, -3))
            alerts = 40 if number == 6 and back == -3 else 0
            store(database, f"t{number}", date, topics={} if is_free else {"general": 120}, alerts=alerts)
    texts = []
    for day in (0, 3):
        found, message = judged(database, friday + D(day))
        assert [one.organizations for one in found.together] == [6]
        assert message
        texts.append(message.text)
    assert "Many organizations\n- 6 of 7 organizations: messages far below usual;" in texts[0]
    assert "Many organizations" not in texts[1]
    assert "- T6: 40 alerts; on Mondays usually 0\n" in texts[1]
    assert "silent" not in texts[1]


def test_an_outage_is_sent_though_some_have_been_silent_since_a_friday(database):
    """Of sixty organizations six have a holiday from Friday, 6 November, to Monday; on Monday nearly all fail."""
    friday = TUESDAY + D(3)
    for number in range(60):
        for back in range(-3, 60):
            date = friday - D(back)
            is_free = date.weekday() >= 5 or (back == -3 and number < 47) or (back == 0 and number < 6)
            store(database, f"t{number:02}", date, topics={} if is_free else {"general": 120})
    _, message = judged(database, friday + D(3))
    assert message
    assert "Many organizations\n- 47 of 60 organizations: messages far below usual;" in message.text
    assert message.subject.endswith(": 41 unusual metrics")


def test_more_organizations_than_are_held_at_once_are_all_found(database):
    """Each has 20 messages on eight Tuesdays, and 60 and more on the ninth."""
    number = 2 * MAX_HELD_ORGANIZATIONS + 1
    database.connection.execute(
        "insert into organizations (name, slug, created_at)"
        " select 't' || n, 't' || n, '2026-01-01' from generate_series(1, %s) as ns (n)",
        (number,),
    )
    database.connection.execute(
        "insert into communication_trends (organization_id, trend_date, trend_period, total_classifications)"
        " select id, %s::timestamp - back * interval '7 days', 'daily',"
        " case when back = 0 then 59 + substr(slug, 2)::integer else 20 end"
        " from organizations cross join generate_series(0, 8) as weeks (back)",
        (TUESDAY,),
    )
    ids = [str(row["id"]) for row in database.connection.execute("select id from organizations")]
    found = find_attention(Period(DAILY, TUESDAY), ids)
    assert found
    assert sorted(one.finding.value for one in found.findings) == list(range(60, 60 + number))
    assert [one.organizations for one in found.together] == [number]


def test_a_run_that_finds_nothing_sends_nothing(database, run_dag, mailbox):
    an_alarming_tuesday(database, alerts=6)
    run = run_dag({"date": str(TUESDAY)})
    assert run.summary["attention"] == {
        "organizationsCompared": 1,
        "totalEntries": 0,
        "findings": [],
        "together": [],
    }
    assert mailbox.mails == []


def test_a_failed_run_says_what_it_found(database, run_dag, mailbox):
    an_alarming_tuesday(database)
    database.classify("broken", at=f"{TUESDAY} 12:00")
    database.on_write("raise 'broken';", slug="broken")
    run = run_dag({"date": str(TUESDAY)})
    assert (run.state, run.summary["failedOrganizations"]) == ("failed", ["broken"])
    assert [one["organization"] for one in run.summary["attention"]["findings"]] == ["acme"]
    assert len(mailbox.mails) == 1


def test_a_summary_stays_small(database, run_dag, mailbox):
    slugs = [f"tenant-{number:02}" for number in range(12)]
    for number, slug in enumerate(slugs):
        an_alarming_tuesday(database, slug, alerts=40 + number)
        name(database, slug, "n" * 5000)
    run = run_dag({"date": str(TUESDAY), "organizations_per_task": 12})
    found = run.summary["attention"]
    assert (found["organizationsCompared"], found["totalEntries"], len(found["findings"])) == (12, 12, MAX_FINDINGS)
    # the most unusual first
    assert [one["organization"] for one in found["findings"]] == slugs[:1:-1]
    assert [one["sentence"] for one in found["together"]] == [
        "12 of 12 organizations: alerts far above usual; a holiday, a release or the platform?"
    ]
    assert len(json.dumps(found)) < 6000
    ((_, mail),) = mailbox.mails
    content = mail.get_body(("html",)).get_content()
    assert "<li>and 2 more</li>" in content
    assert "<h3>Many organizations</h3>\n<ul>\n<li>12 of 12 organizations: alerts far above usual" in content


def test_what_cannot_be_found_out_is_null_and_a_warning(database, run_dag, mailbox, setting, tmp_path):
    an_alarming_tuesday(database)
    sql = shutil.copytree(ROOT / "sql", tmp_path / "sql")
    (sql / "reading" / "attention.sql").write_text("select broken")
    setting("sql_path", str(sql))
    run = run_dag({"date": str(TUESDAY)})
    assert run.state == "success"
    assert run.summary["attention"] is None
    assert "The anomalies of 2026-11-03 are not known" in run.log
    assert mailbox.mails == []


def test_a_day_that_is_not_over_is_not_judged(database, run_dag, mailbox):
    today = datetime.datetime.now(datetime.timezone.utc).date()
    for week in range(1, 9):
        store(database, "acme", today - D(7 * week), topics={"general": 1000})
    run = run_dag({"date": str(today)})
    assert run.state == "success"
    assert run.summary["attention"] is None
    assert mailbox.mails == []


@pytest.mark.parametrize("which", ["attention", "digest"])
def test_a_notifier_that_fails_is_an_error_in_the_log_and_costs_nothing_else(database, run_dag, setting, which):
    dag_id = "communication_trends_daily" if which == "attention" else "communication_trends_weekly"
    an_alarming_tuesday(database)
    setting(f"{which}_notifier", SLACK)
    setting(f"{which}_notifier_kwargs", json.dumps({"slack_webhook_conn_id": "nowhere", "text": "{{ digest.text }}"}))
    run = run_dag({"date": str(TUESDAY)}, dag_id=dag_id)
    assert run.state == "success"
    assert f"{which}_notifier failed: no message was sent." in run.log


def test_a_notifier_that_exits_ends_no_run(database, run_dag, setting, monkeypatch, tmp_path):
    (tmp_path / "exiting.py").write_text(
        "from airflow.sdk import BaseNotifier\n"
        "class Notifier(BaseNotifier):\n"
        "    def notify(self, context):\n"
        "        raise SystemExit(1)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    an_alarming_tuesday(database)
    setting("attention_notifier", "exiting.Notifier")
    run = run_dag({"date": str(TUESDAY)})
    assert run.state == "success"
    assert "attention_notifier failed: no message was sent." in run.log


@pytest.mark.parametrize("which", ["failure", "attention", "digest"])
@pytest.mark.parametrize(
    ("value", "arguments", "named"),
    [
        ("nowhere.Notifier", "{}", "notifier: 'nowhere.Notifier' cannot be used"),
        ("json.JSONDecoder", "{}", "notifier: 'json.JSONDecoder' cannot be used: it is not a notifier"),
        (SMTP, '{"no_such": 1}', f"notifier_kwargs: not the arguments of {SMTP}"),
        (SMTP, "{", f"notifier_kwargs: not the arguments of {SMTP}"),
    ],
)
def test_a_notifier_that_cannot_be_used_is_named_with_its_setting(setting, which, value, arguments, named):
    setting(f"{which}_notifier", value)
    setting(f"{which}_notifier_kwargs", arguments)
    with pytest.raises(InvalidInputError) as error:
        settings.notifier(f"{which}_notifier")
    assert str(error.value).startswith(f"[communication_trends] {which}_{named}")


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("raise RuntimeError('not without a licence')", "notifier: 'theirs.Theirs' cannot be used: not without a"),
        ("class Theirs(:", "notifier: 'theirs.Theirs' cannot be used: invalid syntax"),
        (
            "from airflow.sdk import BaseNotifier\nclass Theirs(BaseNotifier): pass",
            "notifier: 'theirs.Theirs' cannot be used: it has no notify() of its own",
        ),
        (
            "from airflow.sdk import BaseNotifier\nfrom airflow.exceptions import AirflowException\n"
            "class Theirs(BaseNotifier):\n    def __init__(self): raise AirflowException('no channel')\n"
            "    def notify(self, context): pass",
            "notifier_kwargs: not the arguments of theirs.Theirs: no channel",
        ),
    ],
)
def test_whatever_a_notifier_raises_where_it_is_made_names_the_setting(setting, monkeypatch, tmp_path, source, named):
    (tmp_path / "theirs.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    setting("digest_notifier", "theirs.Theirs")
    with pytest.raises(InvalidInputError) as error:
        settings.notifier("digest_notifier")
    assert str(error.value).startswith(f"[communication_trends] digest_{named}")


def test_only_the_task_that_calls_a_notifier_imports_it(setting, monkeypatch):
    setting("digest_notifier", SMTP)
    setting("digest_notifier_kwargs", '{"to": "lead@example.com"}')
    made = {}
    for task_id in (None, "summarize", "aggregate_organization"):
        if task_id:
            # as Airflow tells the DAG file whose process it is in
            monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", task_id)
        made[task_id] = settings.notifier("digest_notifier", called_by="summarize") is not None
    assert made == {None: True, "summarize": True, "aggregate_organization": False}


def a_week(database, *, period):
    """
    Store two weeks and eight before.

    acme: 20 messages, 2 risky, 3 alerts each week; then 40, 12 and 15. beta: 10 messages, nothing before.
    """
    # older than their trends, of which some are empty: those do not say that they existed
    for slug in ("acme", "idle"):
        id_ = database.organization(slug)
        database.connection.execute("update organizations set created_at = '2026-01-01' where id = %s", [id_])
    shares = [1] if period == "weekly" else [1, 0, 0, 0, 0, 0, 0]
    for week in range(10):
        for day, share in enumerate(shares):
            date = WEEK - D(7 * week) + D(day)
            now = {"complaint": 12, "general": 28} if week == 0 else {"complaint": 2, "general": 18}
            store(
                database,
                "acme",
                date,
                period=period,
                topics={topic: count * share for topic, count in now.items()},
                alerts=(15 if week == 0 else 3) * share,
                confidence=80 if share else None,
            )
            if week < 2:
                store(database, "idle", date, period=period, topics={})
            if week == 0:
                store(database, "beta", date, period=period, topics={"general": 10 * share}, confidence=70)


WEEKLY_DIGEST = f"""\
Communication trends, 2 Nov – 8 Nov 2026: 1 organization unusual; 2 of 3 organization-weeks cannot be judged: too \
little is known

All organizations, against 26 Oct – 1 Nov 2026
- Too few to say what has changed: 2 of 3 organization-weeks are stored and final in both weeks.

Organizations to look at
- {AS_TEXT[:79]}…: 15 alerts; in the weeks before usually 3. \
30% of the messages are complaints or escalations; in the weeks before usually 10%. \
40 messages; in the weeks before usually 20. \
40 messages (▲ 100.0%), 15 alerts (▲ 400.0%), risk 30% (▲ 20.0 points), confidence 80% (unchanged)
- Beta: 10 messages; nothing to compare with

Gaps
- {AS_TEXT[:79]}…: no data for 7 Nov, 8 Nov

{PAGE}?period=weekly&from=2026-10-26&to=2026-11-08"""


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (100_001, 100_000, "100,001 messages (▲ less than 0.1%)"),
        (99_999, 100_000, "99,999 messages (▼ less than 0.1%)"),
        (100_000, 100_000, "100,000 messages (unchanged)"),
        (1_201, 1_200, "1,201 messages (▲ 0.1%)"),
        (0, 0, "0 messages (unchanged)"),
        (1, 0, "1 message (none before)"),
    ],
)
def test_a_change_that_is_rounded_to_nothing_is_a_change(now, before, said):
    assert _changed(Sums(messages=now), Sums(messages=before))[0] == said


def test_a_digest_of_a_week_by_hand(database):
    a_week(database, period="weekly")
    name(database, "acme", HOSTILE)
    for day in range(7):
        for slug in ("acme", "idle", "beta"):
            if slug != "acme" or day < 5:
                store(database, slug, WEEK + D(day), topics={})
    message = digest(ONE_WEEK, AFTERWARDS)
    assert message.text == WEEKLY_DIGEST
    assert "<img" not in message.html
    assert message.html.count("onerror=alert(1)&gt; {{ 7 * 7 }} &amp; &lt;!channel&gt; @everyone") == 2
    link = f"{database.organization('beta')}&amp;period=weekly&amp;from=2026-11-02&amp;to=2026-11-08"
    assert f'<a href="{PAGE}?organization={link}"><b>Beta</b></a>: 10 messages;' in message.html
    assert [(one["organization"], one["figure"], one["value"]) for one in message.findings] == [
        ("acme", "escalations", 15),
        ("acme", "riskScore", 30),
        ("acme", "totalClassifications", 40),
    ]
    # half an hour after the week, its Sunday is not late yet
    early = digest(ONE_WEEK, datetime.datetime(2026, 11, 9, 3, 30, tzinfo=datetime.timezone.utc))
    assert "no data for 7 Nov\n" in early.text


def test_a_digest_from_daily_trends(database):
    a_week(database, period="daily")
    # of idle, three days are not stored the week before
    database.connection.execute(
        "delete from communication_trends where organization_id = %s and trend_date between '2026-10-26' and"
        " '2026-10-28'",
        (database.organization("idle"),),
    )
    text = digest(SEVEN_DAYS, AFTERWARDS).text
    assert "- Too few to say what has changed: 11 of 21 organization-days are stored and final in both weeks.\n" in text
    assert "- Acme: Mon, 2 Nov: 15 alerts; on Mondays usually 3. " in text
    assert "None: all organizations have each day up to Sun, 8 Nov." in text


def test_a_digest_says_a_state_once_and_what_many_have_in_common(database):
    """Of seven organizations one has three times the risk, one is silent from Thursday on; the others are busy once."""
    friday = WEEK + D(4)
    for number in range(7):
        slug = f"tenant-{number}"
        for back in range(63):
            date = WEEK + D(6) - D(back)
            messages = 300 if date == friday else 100
            risky = (24 if number == 0 and date >= WEEK else 8) * messages // 100
            gone = number == 1 and date >= WEEK + D(3)
            store(
                database, slug, date, topics={} if gone else {"complaint": risky, "general": messages - risky}, alerts=2
            )
    since(database, "2026-01-01")
    message = digest(SEVEN_DAYS, AFTERWARDS)
    assert (
        "Many organizations\n- Fri, 6 Nov: 6 of 7 organizations: messages far above usual; a holiday," in message.text
    )
    assert message.text.count("complaints or escalations") == 1
    assert (
        "Sun, 8 Nov: 24% of the messages are complaints or escalations; on Sundays usually 8%; "
        "above usual for 7 days, since 2 Nov."
    ) in message.text
    assert message.text.count("silent since 5 Nov, 4 days; on Sundays usually 100 messages") == 1
    [first, second, *_] = message.findings
    assert (first["organization"], first["state"], first["since"], first["days"]) == (
        "tenant-0",
        "lasting",
        "2026-11-02",
        7,
    )
    assert (second["figure"], second["organization"]) == ("totalClassifications", "tenant-0")


def test_a_digest_says_what_it_does_not_know(database, setting, tmp_path):
    store(database, "acme", WEEK, period="weekly", topics={"general": 5})
    young = digest(ONE_WEEK, AFTERWARDS)
    assert young.subject.endswith(": too little is stored to say what is unusual")
    assert "Nothing to compare: no organization-week is stored and final in both weeks." in young.text
    assert "No day of the week is stored, of any organization." in young.text
    sql = shutil.copytree(ROOT / "sql", tmp_path / "sql")
    (sql / "reading" / "attention.sql").write_text("select broken")
    setting("sql_path", str(sql))
    assert digest(ONE_WEEK, AFTERWARDS).subject.endswith(": what is unusual is not known")


def test_a_digest_names_who_has_alerts_and_no_messages(database):
    """Five have three alerts each and no messages, which is the highest risk there is; the sixth has messages."""
    for number in range(5):
        store(database, f"silent-{number}", WEEK, period="weekly", topics={}, alerts=3)
    store(database, "busy", WEEK, period="weekly", topics={"general": 1000})
    text = digest(ONE_WEEK, AFTERWARDS).text
    for number in range(5):
        assert f"- Silent-{number}: 0 messages, 3 alerts; nothing to compare with\n" in text
    assert "None has any message" not in text


def test_a_digest_claims_nothing_of_the_days_that_it_does_not_know(database):
    """Of two organizations only the Mondays can be judged: nothing is stored of other weekdays before."""
    for slug in ("acme", "beta"):
        for date in [*(WEEK - D(7 * back) for back in range(1, 9)), *(WEEK + D(day) for day in range(7))]:
            store(database, slug, date, topics={"general": 20})
    since(database, "2026-01-01")
    message = digest(SEVEN_DAYS, AFTERWARDS)
    assert message.subject.endswith(
        ": nothing unusual; 12 of 14 organization-days cannot be judged: too little is known"
    )
    assert "None: all organizations have each day up to Sun, 8 Nov.\n" in f"{message.text}\n"
    # the first days that are stored at all, and they are empty
    database.connection.execute("truncate communication_trends cascade")
    for slug in ("acme", "beta"):
        for date in (WEEK + D(5), WEEK + D(6)):
            store(database, slug, date, topics={})
    text = digest(SEVEN_DAYS, AFTERWARDS).text
    assert "- None has any message or alert in what is stored.\n" in text
    assert (
        "- None: all organizations have each day from Sat, 7 Nov up to Sun, 8 Nov.\n"
        "- Before Sat, 7 Nov nothing is stored, of any organization."
    ) in text


def test_a_digest_does_not_say_that_a_day_is_not_stored_which_is_not_final(database):
    """Of one organization all of ten weeks is stored; its Wednesday is not final."""
    for back in range(70):
        store(database, "acme", WEEK + D(6 - back), topics={"general": 20})
    since(database, "2026-01-01")
    database.connection.execute(
        "insert into communication_trends_provenance (organization_id, trend_date, trend_period, computed_at, is_final)"
        " values (%s, %s, 'daily', now(), false)",
        (database.organization("acme"), WEEK + D(2)),
    )
    message = digest(SEVEN_DAYS, AFTERWARDS)
    assert message.subject.endswith(": nothing unusual; 1 of 7 organization-days cannot be judged: too little is known")
    assert "Counted: 6 of 7 organization-days, those stored and final in both weeks" in message.text
    assert "- Acme: not final 4 Nov" in message.text


def test_without_the_address_of_airflow_there_is_no_link(database, monkeypatch):
    monkeypatch.delenv("AIRFLOW__API__BASE_URL")
    a_week(database, period="weekly")
    message = digest(ONE_WEEK, AFTERWARDS)
    assert "http" not in message.text + message.html


def test_a_weekly_run_sends_its_digest_to_slack(database, run_dag, setting, monkeypatch):
    database.classify("acme", topic="complaint", at=f"{WEEK} 12:00", count=12)
    name(database, "acme", HOSTILE)
    setting("digest_notifier", SLACK)
    setting("digest_notifier_kwargs", json.dumps({"text": "{{ digest.text }}"}))
    with webhook_server() as webhook:
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", webhook.slack_connection)
        run = run_dag({"date": str(WEEK)}, dag_id="communication_trends_weekly")
        assert run.state == "success"
        # some organizations are no week
        some = run_dag({"date": str(WEEK), "organizations": ["acme"]}, dag_id="communication_trends_weekly")
        assert some.state == "success"
    [posted] = webhook.posted
    assert posted["text"].startswith("Communication trends, 2 Nov – 8 Nov 2026: too little is stored")
    assert f"- {AS_TEXT[:79]}…: 12 messages; nothing to compare with\n" in posted["text"]


def test_after_the_time_limit_no_other_notifier_is_called(database, run_dag, setting, monkeypatch, tmp_path):
    """Airflow's limit ends a task once: a second notifier that hangs would hang for good."""
    (tmp_path / "slow.py").write_text(
        "from airflow.exceptions import AirflowTaskTimeout\nfrom airflow.sdk import BaseNotifier\n"
        "class Slow(BaseNotifier):\n"
        "    def notify(self, context):\n"
        f"        open({str(tmp_path / 'called')!r}, 'a').write('digest ' if 'digest' in context else 'attention ')\n"
        "        raise AirflowTaskTimeout('as where it waits for a server')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for which in ("attention", "digest"):
        setting(f"{which}_notifier", "slow.Slow")
    a_week(database, period="weekly")
    run = run_dag({"date": str(WEEK)}, dag_id="communication_trends_weekly")
    assert run.state == "success"
    assert (tmp_path / "called").read_text() == "attention "
    assert "digest_notifier was not called: attention_notifier has used up the time of this task." in run.log


@pytest.mark.parametrize(
    ("date", "run_by", "weekly", "sent"),
    [
        ("2026-11-08", "schedule", None, 1),
        ("2026-11-08", "schedule", "2026-10-19", 1),
        # the weekly DAG is on
        ("2026-11-08", "schedule", "2026-10-26", 0),
        ("2026-11-08", "schedule", "2026-11-02", 0),
        ("2026-11-07", "schedule", None, 0),
        ("2026-11-08", "manual", None, 0),
        ("2026-11-08", "backfill", None, 0),
    ],
)
def test_the_daily_run_of_a_sunday_sends_it_where_the_weekly_dag_is_off(database, mailbox, date, run_by, weekly, sent):
    from airflow_dag import load_dag

    if weekly:
        store(database, "acme", weekly, period="weekly", topics={"general": 5})
    dag = load_dag()
    context = {"dag": dag, "params": {"organizations": None}}
    period = Period(DAILY, datetime.date.fromisoformat(date))
    notify_digest(dag.get_task("summarize").digest_notifier, context, period, {"triggeredBy": run_by})
    assert len(mailbox.mails) == sent
    assert "digest" not in context
