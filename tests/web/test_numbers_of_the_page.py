"""What people read, on the page, in the digest and in the findings, once more in plain Python from the raw rows."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import running_airflow_on
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect
from stored import COLUMNS, EMPTY

from communication_trends.core.period import KINDS
from communication_trends.core.period_range import Range
from communication_trends.notifiers import digest
from web import chromium
from web.chromium import PATIENCE
from web.conftest import API
from web.oracle import RISKY, Sums, World, half_up, one_decimal, percent, points, quotient, worlds

ONE = datetime.timedelta(1)
NOUNS = {"daily": "day", "weekly": "week"}
STATES = {
    "missing": "no data",
    "unreadable": "cannot be read",
    "notDue": "not due yet",
    "notCreated": "did not exist yet",
}

NOTHING = {"topics": "messages", "tones": "messages with a tone", "escalations": "alerts"}
"""The column of a table that has nothing to count."""

drawn = settings(
    max_examples=max(1, int(os.environ.get("WORLDS", "20")) // 2),
    derandomize=True,
    # a smaller world that fails would be looked for in minutes
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
"""A page takes longer than an answer: a few worlds, the same each time."""


@pytest.fixture(scope="module")
def airflow(server, tmp_path_factory) -> Iterator[Any]:
    """An API server whose settings name other risky topics, and its database."""
    topics = {"AIRFLOW__COMMUNICATION_TRENDS__HOTSPOT_TOPICS": ", ".join(RISKY)}
    with (
        running_airflow_on(server, tmp_path_factory.mktemp("numbers"), **topics) as (airflow, database),
        pytest.MonkeyPatch.context() as patched,
    ):
        # for the digest, which is made in this process
        patched.setenv("AIRFLOW_CONN_COMMUNICATION_TRENDS_DB", server.airflow_connection(database.name))
        patched.setenv(*topics.popitem())
        airflow.start("api-server")
        yield airflow, database


@pytest.fixture(scope="module")
def world(airflow) -> World:
    return World(None, airflow[1].connection)


@pytest.fixture(scope="module")
def page(airflow, browser) -> Iterator[Page]:
    """One page for all worlds: it draws each in place of the one before."""
    url = airflow[0].url
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.add_cookies([{"name": "_token", "value": airflow[0].token, "url": url}])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}/communication-trends/")
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    yield page
    assert problems == []
    context.close()


READ = """() => {
  const one = (id) => document.getElementById(id);
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
  const text = (node) => node?.textContent ?? null;
  const first = (node) => node.firstChild?.textContent ?? "";
  const table = (id) => ({
    columns: all(`#${id}-table thead th`).slice(1).map(text),
    rows: Object.fromEntries(all(`#${id}-table tbody tr`).map((row) => [row.dataset.key, all("td", row).map(text)])),
  });
  return {
    title: text(one("title")),
    subtitle: text(one("subtitle")),
    status: text(one("status")),
    cards: Object.fromEntries(
      all("#cards .card").map((card) => [
        card.id.slice(5),
        [".value", ".change", ".compared"].map((name) => text(card.querySelector(name))),
      ]),
    ),
    ranking: Object.fromEntries(
      all("#ranking tbody tr").map((row) => [
        row.dataset.key,
        [all("td", row).map(first), [...all(".moved", row).map(first), ...all(".critical", row).map(text)]],
      ]),
    ),
    hotspots: all("#hotspots tbody tr").map((row) => all("td", row).map(text)),
    gaps: one("gaps").hidden ? null : all("#gaps-title, #gaps h2, #gaps .behind li, #gaps .quiet").map(text),
    tables: Object.fromEntries(["topics", "tones", "escalations", "risk", "confidence"].map((id) => [id, table(id)])),
    means: one("topics").data
      .filter(({ meta }) => !["gap", "partial", "notFinal", "someNotFinal", "unusual", "marks"].includes(meta))
      .map(({ meta, x, y }) => [meta, x, y]),
  };
}"""


def read(page: Page, world: World, id_: str | None) -> Any:
    """Show a world's range on the page, of all or of one, and return what it says."""
    query = f"?period={world.kind}&from={world.first}&to={world.last}&mean=7"
    page.evaluate(
        "query => { history.pushState(null, '', query); dispatchEvent(new PopStateEvent('popstate')); }",
        query + (f"&organization={id_}" if id_ else ""),
    )
    expect(page.locator("#main")).to_have_attribute("aria-busy", "false")
    return page.evaluate(READ)


def short(date: datetime.date) -> str:
    return f"{date.day} {date:%b}"


def long(world: World, date: datetime.date) -> str:
    return f"{'the week of' if world.kind == 'weekly' else f'{date:%a},'} {short(date)} {date.year}"


def span(first: datetime.date, last: datetime.date) -> str:
    if first == last:
        return f"{short(first)} {first.year}"
    return f"{short(first)}{'' if first.year == last.year else f' {first.year}'} – {short(last)} {last.year}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(words: list[str]) -> str:
    words = words if len(words) <= 4 else [*words[:3], f"{len(words) - 3} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shown(value: float | None, unit: str = "") -> str:
    return "–" if value is None else f"{value:,}".removesuffix(".0") + unit


def moved(change: float, unit: str) -> str:
    """How the page writes a change that is known."""
    if not change:
        return "unchanged"
    unit = {"points": " point" if abs(change) == 1 else " points"}.get(unit, unit)
    return f"{'▲' if change > 0 else '▼'} {shown(abs(change))}{unit}"


def ignored_text(world: World, ids: list[str] | None, last: datetime.date) -> list[str]:
    found = world.ignored(ids, last)
    why = {
        "offGrid": f"whose date is not the start of a {NOUNS[world.kind]}",
        "ofNoOrganization": "of an organization that does not exist",
        "beforeExistence": "from before the organization existed",
    }
    parts = [f"{count(found[name], 'stored row')} {text}" for name, text in why.items() if found[name]]
    return [f"Ignored: {', '.join(parts)}."] if parts else []


@chromium.needs_chromium
@drawn
@given(**worlds)
def test_the_page_says_what_the_rows_say(page, world, kind, made, stored):
    world.make(kind, made, stored)
    for id_ in [None, *list(world.organizations)[:1]]:
        check_page(world, id_, read(page, world, id_))


def check_page(world: World, id_: str | None, said: Any) -> None:
    ids, dates, noun = ([id_] if id_ else list(world.organizations)), world.dates(), NOUNS[world.kind]
    every = world.sums(ids, dates)
    open_dates = [
        date for date in dates if any(world.readable(one, date) and not world.is_final(one, date) for one in ids)
    ]
    messages = [count(every.messages, "message") if every.trends else "no data"]
    messages += [f"{count(len(open_dates), noun)} not final"] if open_dates else []
    name = world.organizations[id_]["name"] if id_ else "All organizations"
    assert said["title"] == (name if id_ else "Communication trends")
    whom = "Communication trends" if id_ else count(len(ids), "organization")
    to = world.last + world.step - ONE
    assert said["subtitle"] == " · ".join([whom, span(world.first, to), *messages])
    stored = sum(world.state(date, ids) == "stored" for date in dates)
    expected = sum(world.is_expected(date, ids) for date in dates)
    assert said["status"] == f"{name}: " + ", ".join([f"{stored} of {count(expected, noun)} stored", *messages]) + "."
    check_cards(world, ids, every, said["cards"], is_one=bool(id_))
    if id_ is None:
        check_ranking(world, every, said["ranking"])
        assert said["gaps"] == completeness(world)
    else:
        assert said["gaps"] == gaps_of(world, id_)
    check_hotspots(world, ids, said["hotspots"], is_one=bool(id_))
    check_tables(world, ids, every, said["tables"])
    check_means(world, ids, said["means"])


def check_cards(world: World, ids: list[str], every: Sums, said: Any, *, is_one: bool) -> None:
    now, before, pairs = world.compared(ids, world.dates(), world.shift)
    possible = sum(date <= world.due and world.existed(id_, date) for id_ in ids for date in world.dates())
    noun = f"{'' if len(ids) == 1 and is_one else 'organization-'}{NOUNS[world.kind]}"
    over = f", over {pairs:,} of {count(possible, noun)}" if pairs < possible else ""
    # of less than four fifths of the days, the sides are shown and no change
    is_comparable = not pairs or 10 * pairs >= 8 * possible
    for card, attribute in (("messages", "messages"), ("alerts", "alerts")):
        value, one, other = (getattr(sums, attribute) for sums in (every, now, before))
        change = percent(one, other)
        text = "no comparison" if not pairs else moved(change, "%") if other else "▲ from 0" if one else "unchanged"
        sides = f"{one:,} compared with {other:,}{over}" if pairs else None
        assert said[card] == [shown(value if every.trends else None), text if is_comparable else None, sides]
    for card, attribute in (("risk", "risk"), ("confidence", "mean")):
        exact = [getattr(sums, attribute) for sums in (every, now, before)]
        value, one, other = map(half_up, exact)
        change = points(*exact[1:])
        sides = f"{one}% compared with {shown(other, '%')}{over}" if pairs and one is not None else None
        text = "no comparison" if change is None else moved(change, "points")
        assert said[card] == [shown(value, "%"), text if is_comparable else None, sides]


def check_ranking(world: World, every: Sums, said: Any) -> None:
    assert said.keys() == world.organizations.keys()
    for id_, organization in world.organizations.items():
        dates = world.dates()
        sums = world.sums([id_], dates)
        there = sum(world.trend(id_, date) is not None for date in dates)
        missing = sum(
            date <= world.due and world.existed(id_, date) and world.trend(id_, date) is None for date in dates
        )
        known = [shown(one if sums.trends else None) for one in (sums.messages, sums.alerts, sums.hotspots)]
        cells, moves = said[id_]
        assert cells[1] == organization["name"]
        # shrunk by 200 messages at the share of all
        usual = quotient(every.risky + every.alerts, every.messages + every.alerts)
        own = sums.messages + sums.alerts
        adjusted = quotient(100 * (sums.risky + sums.alerts + 200 * usual), own + 200) if own else None
        assert cells[2] == shown(one_decimal(adjusted), "%")
        assert cells[3] == shown(half_up(sums.risk), "%")
        assert [*cells[5:7], cells[8]] == known
        assert cells[7] == shown(one_decimal(quotient(1000 * sums.alerts, sums.messages)))
        assert cells[9:] == [shown(half_up(sums.mean), "%"), f"{len(sums.trends)}/{there + missing}"]
        now, before, pairs = world.compared([id_], dates, world.shift)
        possible = sum(date <= world.due and world.existed(id_, date) for date in dates)
        is_comparable = pairs > 0 and 10 * pairs >= 8 * possible
        unknown = "–" if sums.trends else ""

        def text(change, unit, one, other, unknown=unknown, is_comparable=is_comparable):
            if one is None or other is None:
                return unknown
            side = f"({shown(other, '' if unit == '%' else '%')})"
            if not is_comparable:
                return side
            if (not change and one == other) or change == 0:
                return "±0"
            return f"▲ {side}" if change is None else f"{moved(change, unit)} {side}"

        counts = [(now.messages, before.messages), (now.alerts, before.alerts)] if pairs else [(None, None)] * 2
        risks = (half_up(now.risk), half_up(before.risk))
        critical = sums.added("escalation_counts").get("critical", 0)
        assert moves == [
            text(points(now.risk, before.risk), "", *risks),
            *(text(percent(*both) if pairs else None, "%", *both) for both in counts),
            *([f"{critical:,} critical"] if critical else []),
        ]


def completeness(world: World) -> list[str] | None:
    """What the page says of all organizations: how far they are complete, who lacks what."""
    ids, last, noun = list(world.organizations), min(world.last, world.expected), NOUNS[world.kind]
    if not ids:
        return None
    begun = world.begun(last)
    notes = ignored_text(world, None, last)
    # where nothing is stored at all, as far back as can be asked for
    looked_at = world.dates(begun or world.begun(datetime.date.max) or last - 91 * world.step, last)
    lacking = [(date, one) for date in looked_at for one in ids if world.lacks(one, date)]
    earlier = [date for date, _ in lacking if date < world.first]
    behind = {one: [date for date, other in lacking if other == one and date >= world.first] for one in ids}
    behind = {one: dates for one, dates in behind.items() if dates}
    if begun is None and not behind:
        to = last + world.step - ONE
        return [f"Nothing is stored up to {span(to, to)}, so gaps are unknown.", *notes]
    total = count(len(ids), "organization")
    everybody = "the organization" if len(ids) == 1 else f"all {total}"
    whom = f"{len(ids) - len(behind)} of {total}" if behind else everybody
    is_young = begun is not None and begun > world.first
    young = f"; nothing is stored before {span(begun, begun)}" if begun is not None and is_young else ""
    order = sorted(behind, key=lambda one: (-len(behind[one]), world.organizations[one]["slug"]))
    lines = []
    for date in sorted({date for dates in behind.values() for date in dates}, reverse=True):
        parts = []
        for text, state in (
            ("", "missingDays"),
            ("cannot be read: ", "unreadableDays"),
            ("not final: ", "notFinalDays"),
        ):
            names = [world.organizations[one]["name"] for one in order if world.lacks(one, date) == state]
            is_all = len(names) > 3 and len(names) == sum(world.existed(one, date) for one in ids)
            parts += [text + (f"all {len(names)}" if is_all else ", ".join(names))] if names else []
        lines.append(f"{short(date)}: {'; '.join(parts)}")
    before = (
        [
            f"Before this range {count(len(earlier), f'organization-{noun}')} {'is' if len(earlier) == 1 else 'are'}"
            f" incomplete, the first: {long(world, earlier[0])}."
        ]
        if earlier
        else []
    )
    known = span(begun if is_young else world.first, last + world.step - ONE)
    return [f"{known}: complete for {whom}{young}{'' if behind else '.'}", *lines, *before, *notes]


def gaps_of(world: World, id_: str) -> list[str] | None:
    """What the page says of one organization's days."""
    of_state = {
        "No data for": [date for date in world.dates() if world.state(date, [id_]) == "missing"],
        "Cannot be read:": [date for date in world.dates() if world.state(date, [id_]) == "unreadable"],
        "Not final:": [
            date
            for date in world.dates()
            if world.readable(id_, date) and not world.is_final(id_, date) and date + world.step <= world.today
        ],
    }
    titles = [
        f"{title} {long(world, dates[0]) if len(dates) == 1 else count(len(dates), NOUNS[world.kind])}"
        for title, dates in of_state.items()
        if dates
    ]
    # its provenance does not say when a trend was computed
    lost = ["Where no run is offered, the source may have lost rows: a run would not help."]
    return [*titles, *(lost if of_state["Not final:"] else []), *ignored_text(world, [id_], world.last)] or None


def check_hotspots(world: World, ids: list[str], said: Any, *, is_one: bool) -> None:
    found: dict[tuple[str, str], list[tuple[datetime.date, Any]]] = {}
    for id_ in ids:
        for date in world.dates():
            for entry in (world.readable(id_, date) or {"channel_hotspots": []})["channel_hotspots"]:
                found.setdefault((id_, entry["channelId"]), []).append((date, entry))
    expected = []
    for (id_, channel), hot in found.items():
        messages = sum(entry["messageCount"] for _, entry in hot)
        risk = half_up(quotient(sum(entry["riskScore"] * entry["messageCount"] for _, entry in hot), messages))
        level = next((name for limit, name in ((60, "high"), (40, "elevated"), (20, "some")) if risk >= limit), "")
        expected.append(
            [
                channel or "(empty id)",
                *([] if is_one else [world.organizations[id_]["name"]]),
                f"{risk}%{level}",
                f"{max(entry['riskScore'] for _, entry in hot)}%",
                f"{len(hot)}",
                f"{messages:,}",
                short(max(date for date, _ in hot)),
            ]
        )
    assert sorted(said) == sorted(expected)


def check_tables(world: World, ids: list[str], every: Sums, said: Any) -> None:
    for id_, column in (("topics", COLUMNS[0]), ("tones", COLUMNS[1]), ("escalations", COLUMNS[2])):
        names = {name or "(no name)": name for row in every.trends for name in row[column]}
        # nothing counted is a zero
        assert sorted(said[id_]["columns"]) == (sorted(names) or [NOTHING[id_]])
    for date in world.dates():
        sums, state = world.sums(ids, [date]), world.state(date, ids)
        for id_, column in (("topics", COLUMNS[0]), ("tones", COLUMNS[1]), ("escalations", COLUMNS[2])):
            added = sums.added(column)
            named = [added.get("" if text == "(no name)" else text, 0) for text in said[id_]["columns"]]
            expected = list(map(shown, named)) if state == "stored" else [STATES[state]]
            assert said[id_]["rows"][str(date)] == expected, (id_, date)
        for id_, value in (("risk", sums.risk), ("confidence", sums.mean)):
            expected = [shown(one_decimal(value))] if state == "stored" else [STATES[state]]
            assert said[id_]["rows"][str(date)] == expected, (id_, date)


def check_means(world: World, ids: list[str], said: Any) -> None:
    """The chart of topics: a mean of seven whole days; of weeks, each by itself."""
    days = 7 if world.kind == "daily" else 1
    found: dict[str, dict[str, float]] = {}
    for name, dates, values in said:
        found.setdefault(name, {}).update(zip(dates, values, strict=True))
    for date in world.dates():
        window = [date - back * world.step for back in range(days)]
        is_known = all(world.is_whole(one, ids) for one in window) if days == 7 else world.state(date, ids) == "stored"
        added = world.sums(ids, window).added(COLUMNS[0])
        for name, values in found.items():
            expected = pytest.approx(added.get(name, 0) / days) if is_known else None
            assert values.get(str(date)) == expected, (name, date)


@drawn
@given(**worlds)
def test_the_digest_says_what_the_rows_say(world, kind, made, stored):
    world.make(kind, made, stored)
    step, shift = world.step, 7 * ONE
    length = 7 if kind == "daily" else 1
    last = world.last - step
    dates = world.dates(last - (length - 1) * step, last)
    # asked as a run asks that has just stored the last of them
    world.due = last
    ids, noun = list(world.organizations), f"organization-{NOUNS[kind]}"
    first, last_one = (KINDS[kind].containing(date) for date in (dates[0], last))
    week = Range(first, last_one, last_one)
    message = digest(week, datetime.datetime.now(datetime.timezone.utc))
    said = {heading: [one.text for one in lines] for heading, lines in message.sections}
    names = {heading: [one.name for one in lines] for heading, lines in message.sections}
    [heading] = (one for one in said if one.startswith("All organizations"))
    now, before, pairs = world.compared(ids, dates, shift)
    possible = sum(world.existed(id_, date) for id_ in ids for date in dates)
    if not pairs:
        assert said[heading] == [f"Nothing to compare: no {noun} is stored and final in both weeks."]
    elif 10 * pairs < 8 * possible:
        stored_in_both = f"{pairs:,} of {count(possible, noun)} are stored and final in both weeks"
        assert said[heading] == [f"Too few to say what has changed: {stored_in_both}."]
    else:
        counted = [f"Counted: {pairs:,} of {count(possible, noun)}, those stored and final in both weeks"]
        assert said[heading] == [*changed(now, before), *(counted if pairs < possible else [])]
    expected = {}
    for id_ in ids:
        now, before, pairs = world.compared([id_], dates, shift)
        sums = world.sums([id_], dates)
        counted = [count(sums.messages, "message"), *([count(sums.alerts, "alert")] if sums.alerts else [])]
        over = "" if pairs == length else f" (over {pairs} of {length} days)"
        text = ", ".join(changed(now, before)) + over
        if 10 * pairs < 8 * sum(world.existed(id_, date) for date in dates) or not pairs:
            text = f"{', '.join(counted)}; {'too few days' if pairs else 'nothing'} to compare with"
        expected[id_] = (sums.messages + sums.alerts, text)
    to_look_at = list(zip(names["Organizations to look at"], said["Organizations to look at"], strict=True))
    if to_look_at == [(None, "None has any message or alert in what is stored.")]:
        assert not any(number for number, _ in expected.values())
    else:
        assert all(
            any(name == world.organizations[id_]["name"] and text.endswith(one) for id_, (_, one) in expected.items())
            for name, text in to_look_at
        )
        for id_, (number, one) in expected.items():
            listed_texts = [text for name, text in to_look_at if name == world.organizations[id_]["name"]]
            assert not number or any(text.endswith(one) for text in listed_texts)
    assert list(zip(names["Gaps"], said["Gaps"], strict=True)) == gaps_in_the_digest(world, ids)
    judged = sum(is_judged(world, id_, date) for id_ in ids for date in dates)
    total = len(ids) * length
    clause = f"; {total - judged:,} of {count(total, noun)} cannot be judged: too little is known"
    if not judged and not message.findings:
        assert message.subject.endswith(": too little is stored to say what is unusual")
    else:
        assert message.subject.endswith(clause) is (judged < total)
        assert ("nothing unusual" in message.subject) is not bool(message.findings)


def changed(now: Sums, before: Sums) -> list[str]:
    """The lines of the digest that say how the metrics have changed."""

    def text(change: float | None, unit: str) -> str:
        if change is None:
            return "none before"
        return f"{'▲' if change > 0 else '▼'} {abs(change):,}{unit}" if change else "unchanged"

    lines = []
    for noun, one, other in (("message", now.messages, before.messages), ("alert", now.alerts, before.alerts)):
        lines.append(f"{count(one, noun)} ({text(0 if one == other else percent(one, other), '%')})")
    for name, one, other in (("risk", now.risk, before.risk), ("confidence", now.mean, before.mean)):
        if one is not None:
            lines.append(f"{name} {half_up(one)}% ({text(points(one, other), ' points')})")
    return lines


def gaps_in_the_digest(world: World, ids: list[str]) -> list[tuple[str | None, str]]:
    """Who lacks which day; the days of the week have trends of their own."""
    if world.kind != "daily":
        return [(None, "No day of the week is stored, of any organization.")]
    first, last = world.last - 7 * ONE, min(world.last - ONE, world.expected)
    begun = [
        moment.date()
        for _, moment, _ in world.raw
        if moment.time() == datetime.time() and first <= moment.date() <= last
    ]
    if not begun:
        return [(None, "No day of the week is stored, of any organization.")]
    since = max(first, world.begun(last))
    day = "{0:%a}, {0.day} {0:%b}".format
    before = [(None, f"Before {day(since)} nothing is stored, of any organization.")] if since > first else []
    behind = {id_: [date for date in world.dates(since, last) if world.lacks(id_, date)] for id_ in ids}
    behind = {id_: dates for id_, dates in behind.items() if dates}
    if not behind:
        since_when = f"from {day(since)} " if before else ""
        return [(None, f"None: all organizations have each day {since_when}up to {day(last)}."), *before]
    lines = []
    for id_ in sorted(behind, key=lambda id_: (-len(behind[id_]), world.organizations[id_]["slug"])):
        parts = [
            f"{what} {', '.join(short(date) for date in behind[id_] if world.lacks(id_, date) == state)}"
            for what, state in (
                ("no data for", "missingDays"),
                ("not readable", "unreadableDays"),
                ("not final", "notFinalDays"),
            )
            if any(world.lacks(id_, date) == state for date in behind[id_])
        ]
        lines.append((world.organizations[id_]["name"], "; ".join(parts)))
    return [*lines, *before]


def is_judged(world: World, id_: str, date: datetime.date) -> bool:
    """Whether there is enough of the eight same weekdays, or the eight weeks, before a period."""
    same = [date - 7 * back * ONE for back in range(9)]
    current, *baseline = [bool(world.readable(id_, one)) and world.is_final(id_, one) for one in same]
    return current and sum(baseline) >= 6


@chromium.needs_chromium
def test_the_page_names_the_topics_of_the_settings(page, world):
    row = {**EMPTY, "topic_distribution": dict.fromkeys((*RISKY, "general"), 5), "total_classifications": 15}
    acme = {"trends": [row] * 24, "final": [True] * 24, "with_confidence": [None] * 24, "created": 400, "off_grid": []}
    world.make("daily", [{**acme, "name": "Acme", "slug": "acme", "ended": False}])
    read(page, world, None)
    said = page.locator("body").inner_text()
    labels = page.locator("[aria-label]").evaluate_all("all => all.map(one => one.ariaLabel)")
    for text in ("Share of the messages that are billing or outage.", "Channels where many messages are billing"):
        assert text in said
    assert any("Messages, those of billing or outage marked" in label for label in labels)
    assert not [text for text in (said, *labels) if "complaints or escalations" in text]


usual_counts = st.fixed_dictionaries(dict.fromkeys([*RISKY, "complaint", "escalation", "general"], st.integers(22, 27)))


@drawn
@given(topics=st.lists(usual_counts, min_size=56, max_size=56))
def test_the_findings_say_what_the_rows_say(airflow, world, topics):
    """Eight weeks of one organization and a day, more than another world has: only that day is an outlier."""
    world.make("daily", [])
    id_, last = "00000000-0000-4000-8000-000000000000", world.expected
    world.connection.execute("insert into organizations (id, name, slug) values (%s, '', '')", [id_])
    last_topics = {"billing": 300, "outage": 200, "complaint": 100, "general": 100}
    topics = [last_topics, *topics]
    rows = [{**EMPTY, "topic_distribution": one, "total_classifications": sum(one.values())} for one in topics]
    for back, row in enumerate(rows):
        world.store(id_, datetime.datetime.combine(last - back * ONE, datetime.time()), row)
    asked = {"from": str(last), "to": str(last), "organization": id_}
    answer = airflow[0].request("GET", f"{API}/attention", params=asked).json()
    found = {one["figure"]: one for one in answer["findings"]}

    def usually(values: list[int], unit: str) -> str:
        # an outlier on either side is not usual
        low, high = sorted(values)[1], sorted(values)[-2]
        return f"on {last:%A}s usually {low:,}{'' if low == high else f' to {high:,}'}{unit}"

    messages = [Sums([row]).messages for row in rows[::7]]
    of_messages = found["totalClassifications"]
    assert (of_messages["value"], of_messages["usualLow"]) == (messages[0], sorted(messages[1:])[1])
    assert of_messages["sentence"] == f"{messages[0]:,} messages; {usually(messages[1:], '')}"
    risks = [half_up(Sums([row]).risk) for row in rows[::7]]
    assert found["riskScore"]["sentence"] == (
        f"{risks[0]}% of the messages are billing or outage; {usually(risks[1:], '%')}"
    )
    assert "complaint" not in json.dumps(answer["findings"])
