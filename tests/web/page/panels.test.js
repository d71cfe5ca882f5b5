import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import test from "node:test";

import { ask, problemOf, queue } from "../../../plugins/communication_trends/web/static/api.js";
import {
  attentionNotes,
  byOrganization,
  onceEach,
} from "../../../plugins/communication_trends/web/static/attention.js";
import {
  changeText,
  leftOutText,
  sidesText,
} from "../../../plugins/communication_trends/web/static/cards.js";
import {
  byPeriod,
  completeText,
  gapsByPeriod,
  helps,
  ignoredText,
  latestText,
} from "../../../plugins/communication_trends/web/static/gaps.js";
import { hotOf, rulesNote } from "../../../plugins/communication_trends/web/static/hotspots.js";
import { movedText } from "../../../plugins/communication_trends/web/static/ranking.js";
import { reportText } from "../../../plugins/communication_trends/web/static/report.js";
import { countsOf, fate, moreText } from "../../../plugins/communication_trends/web/static/run.js";
import { covers, dateOf } from "../../../plugins/communication_trends/web/static/runs.js";

test("what is missing runs once per period, oldest first, for those who lack it", () => {
  const [acme, dune] = [{ id: "1" }, { id: "2" }];
  const behind = [
    { organization: acme, missingDays: ["2026-11-24"], unreadableDays: ["2026-11-18"] },
    {
      organization: dune,
      missingDays: ["2026-11-24"],
      unreadableDays: [],
      notFinalDays: ["2026-11-23"],
    },
  ];
  assert.deepEqual(byPeriod(behind, 2), [
    { date: "2026-11-18", organizations: [acme] },
    { date: "2026-11-24", organizations: [acme, dune] },
  ]);
  // a third one is not in the answer: nobody may be left out
  assert.deepEqual(byPeriod(behind, 3), [
    { date: "2026-11-18", organizations: null },
    { date: "2026-11-24", organizations: null },
  ]);
});

test("a refusal names the field", () => {
  const problem = problemOf(422, [{ loc: ["query", "from"], msg: "from: too long" }]);
  assert.equal(problem.kind, "invalid");
  assert.deepEqual(problem.fields, { from: "from: too long" });
  assert.equal(problemOf(401).kind, "login");
  assert.equal(problemOf(403, "Forbidden").kind, "forbidden");
  assert.equal(problemOf(404, "There is no organization 'x'.").kind, "invalid");
  assert.equal(problemOf(503, "The database cannot be reached.").kind, "broken");
  assert.equal(problemOf(500).message, "Airflow returned HTTP 500.");
});

test("a few at a time, and a failure gives its slot back", async () => {
  const inTurn = queue(2);
  let under = 0;
  let most = 0;
  const work = (fails) => async () => {
    under += 1;
    most = Math.max(most, under);
    await new Promise((resolve) => setTimeout(resolve, 5));
    under -= 1;
    if (fails) throw new Error("no");
    return "yes";
  };
  const answers = await Promise.allSettled(
    [true, false, true, false, false].map((fails) => inTurn(work(fails))),
  );
  assert.deepEqual(
    answers.map((answer) => answer.status),
    ["rejected", "fulfilled", "rejected", "fulfilled", "fulfilled"],
  );
  assert.equal(most, 2);
});

test("a run's summary in words, whatever of it is there", () => {
  assert.deepEqual(countsOf(null), []);
  assert.deepEqual(countsOf({ trendsCreated: 11, organizationsProcessed: 12, keptTrends: 0 }), [
    "11 of 12 organizations stored",
  ]);
  // those processed are those that did not fail
  assert.deepEqual(countsOf({ trendsCreated: 22, organizationsProcessed: 22, errors: 22 }), [
    "22 of 44 organizations stored, 22 failed",
  ]);
  const lookback = { periods: 7, filled: 2, corrected: 1, kept: 0, failed: 0 };
  assert.deepEqual(countsOf({ lookback }), [
    "2 earlier trends filled",
    "1 earlier trend corrected",
  ]);
});

test("what became of a task instance is said with its periods", () => {
  const outcome = {
    kept: ["id"],
    failed: [],
    earlier: { "2026-10-15": { filled: 1 }, "2026-10-14": { filled: 1, kept: 2 } },
    failedEarlier: [["2026-10-13", "id"]],
  };
  assert.equal(
    fate(outcome, "failed", "daily"),
    "not overwritten: the source has fewer rows now · filled 14 Oct and 15 Oct · failed for 13 Oct · not overwritten: 14 Oct",
  );
  // killed before it could tell anything
  assert.equal(fate(null, "failed", "daily"), "failed");
  assert.equal(fate({ failed: ["a", "b"] }, "failed", "daily"), "failed 2 organizations");
});

test("no comparison is not unchanged", () => {
  const both = { daysStored: 30, comparable: true };
  assert.equal(movedText(both, 0, "%", [7, 7]), "±0");
  assert.equal(movedText(both, -2.5, "points", [8, 10]), "▼ 2.5 (10%)");
  assert.equal(movedText(both, 50, "%", [1800, 1200]), "▲ 50% (1,200)");
  assert.equal(movedText(both, null, "%", [7, 0]), "▲ (0)");
  assert.equal(movedText(both, null, "%", [0, 0]), "±0");
  // 1,200 messages and one more are 0.08% more, and one of 100,000 is nothing that can be seen
  assert.equal(movedText(both, 0.1, "%", [1201, 1200]), "▲ 0.1% (1,200)");
  assert.equal(movedText(both, 0, "%", [100001, 100000]), "▲ less than 0.1% (100,000)");
  assert.equal(movedText(both, 0, "%", [99999, 100000]), "▼ less than 0.1% (100,000)");
  assert.equal(
    changeText({ current: 100001, previous: 100000, changePercent: 0 }),
    "▲ less than 0.1%",
  );
  assert.equal(changeText({ current: 7, previous: 7, changePercent: 0 }), "unchanged");
  // 15 alerts on days that are not compared came from nothing known
  assert.equal(movedText(both, null, "%", [null, null]), "–");
  // a share of no messages is unknown, and not 0
  assert.equal(movedText(both, null, "points", [null, 8]), "–");
  assert.equal(movedText({ daysStored: 0 }, null, "%", [null, null]), "");
  // of too few days there is the other side, and no arrow
  assert.equal(movedText({ ...both, comparable: false }, 13.2, "points", [21, 8]), "(8%)");
  assert.equal(changeText({ current: 5, previous: 0, changePercent: null }), "▲ from 0");
  assert.equal(changeText({ current: 0, previous: 0, changePercent: null }), "unchanged");
  assert.equal(changeText({ current: null, previous: null, changePercent: null }), "no comparison");
  assert.equal(changeText({ current: 5, previous: null, changePoints: null }), "no comparison");
  assert.equal(changeText({ current: 5, previous: 4, changePoints: 0.6 }), "▲ 0.6 points");
});

test("a change has both sides, and says over how much", () => {
  const risk = { current: 21, previous: 8, changePoints: 13.2 };
  const year = { matchedDays: 27, possibleDays: 90, organization: {}, period: "daily" };
  assert.equal(sidesText(risk, year), "21% compared with 8%, over 27 of 90 days");
  assert.equal(
    sidesText({ current: 1200, previous: 900, changePercent: 33.3 }, { ...year, matchedDays: 90 }),
    "1,200 compared with 900",
  );
  assert.equal(
    leftOutText({ ...year, comparable: false }),
    "Compared over 27 of 90 days (those stored and final in both ranges): too few to say how the range has changed.",
  );
  assert.equal(
    leftOutText({ ...year, matchedDays: 80, organization: null, comparable: true }),
    "Compared over 80 of 90 organization-days (those stored and final in both ranges).",
  );
});

test("gaps are told day by day, the newest first", () => {
  const [iron, dune] = [
    { id: "1", name: "Iron Bridge" },
    { id: "2", name: "Dune" },
  ];
  const behind = [
    {
      organization: iron,
      missingDays: ["2026-11-27", "2026-11-14"],
      unreadableDays: [],
      notFinalDays: [],
    },
    {
      organization: dune,
      missingDays: ["2026-11-14"],
      unreadableDays: [],
      notFinalDays: ["2026-11-27"],
    },
  ];
  const day = (date, missing, more) => ({
    date,
    missing,
    unreadable: 0,
    notFinal: 0,
    expected: 60,
    ...more,
  });
  const incompletePeriods = [
    day("2026-11-27", 1, { notFinal: 1 }),
    day("2026-11-14", 60),
    day("2026-11-03", 5),
  ];
  assert.deepEqual(gapsByPeriod({ incompletePeriods, behind }), [
    {
      date: "2026-11-27",
      parts: [
        { text: "", organizations: [iron], more: "" },
        { text: "not final: ", organizations: [dune], more: "" },
      ],
    },
    { date: "2026-11-14", parts: [{ text: "", organizations: [], more: "all 60" }] },
    // of those that are not listed, how many
    { date: "2026-11-03", parts: [{ text: "", organizations: [], more: "5 organizations" }] },
  ]);
  const latest = { end_date: "2026-11-28T03:04:40Z", state: "failed" };
  const range = { period: "daily", to: "2026-11-27", checkedFrom: "2026-08-01" };
  const found = [day("2026-11-27", 2)];
  assert.equal(
    latestText(latest, { ...range, incompletePeriods: found }),
    "Last run 28 Nov 2026, 03:04 UTC (failed); 58 of 60 stored for Fri, 27 Nov 2026.",
  );
  const complete = { ...range, incompletePeriods: [] };
  assert.equal(
    latestText(latest, complete),
    "Last run 28 Nov 2026, 03:04 UTC (failed); all stored for Fri, 27 Nov 2026.",
  );
  // of a range that ended before the first trend, nothing is said of its last day
  const earlier = { ...complete, to: "2026-07-31" };
  assert.equal(latestText(latest, earlier), "Last run 28 Nov 2026, 03:04 UTC (failed).");
  assert.equal(latestText(null, earlier), null);
});

test("a gap whose run is queued needs no other run", () => {
  const acme = { id: "1", slug: "acme" };
  const dune = { id: "2", slug: "dune" };
  const run = (date, organizations, period = "daily") => ({ date, organizations, period });
  const day = (organizations) => ({ date: "2026-11-18", organizations });
  for (const covering of [["1"], ["acme"], null])
    assert.ok(covers([run("2026-11-18", covering)], day([acme])));
  assert.ok(!covers([run("2026-11-18", ["2"])], day([acme])));
  assert.ok(!covers([run("2026-11-18", ["1"])], day([acme, dune])));
  assert.ok(!covers([run("2026-11-18", ["1"])], day(null)));
  assert.ok(!covers([run("2026-11-19", null), run(null, null)], day(null)));
  // any day of the week means the week
  const week = { date: "2026-11-16", organizations: null };
  assert.ok(covers([run("2026-11-18", null, "weekly")], week));
});

test("a run is for the period that the DAG itself resolves", () => {
  const run = (logical, start, conf = {}) => ({
    conf,
    logical_date: logical,
    data_interval_start: start,
    run_after: "2026-11-18T17:06:43.656207Z",
  });
  const interval = "2026-11-17T00:00:00Z";
  assert.equal(dateOf(run(null, null, { date: "2026-10-14" }), "daily"), "2026-10-14");
  // scheduled, or named by its logical date, whatever Airflow infers from that
  assert.equal(dateOf(run(interval, interval), "daily"), "2026-11-17");
  assert.equal(dateOf(run("2026-11-16T00:00:00Z", interval), "daily"), "2026-11-16");
  // triggered by hand, without a date: the last day, week or month that is over
  assert.equal(dateOf(run("2026-11-18T17:06:43.6Z", interval, null), "daily"), "2026-11-17");
  assert.equal(dateOf(run(null, null), "daily"), "2026-11-17");
  assert.equal(dateOf(run(null, null), "weekly"), "2026-11-09");
  assert.equal(dateOf(run(null, null), "monthly"), "2026-10-01");
});

test("what is not listed is counted, each kind by itself", () => {
  const twenty = Array.from({ length: 20 });
  assert.equal(moreText(30, twenty, "failed"), "and 10 more task instances failed");
  assert.equal(moreText(21, twenty, "failed"), "and 1 more task instance failed");
  assert.equal(moreText(20, twenty, "failed"), null);
  assert.equal(moreText(undefined, undefined, "failed"), null);
});

test("a run is offered where it can help", () => {
  const stored = (computedAt) => ({
    date: "2026-11-16",
    state: "stored",
    isFinal: false,
    computedAt,
  });
  assert.ok(helps("daily", { date: "2026-11-16", state: "missing" }));
  assert.ok(helps("daily", stored("2026-11-16T12:00:00Z")));
  // computed after its end, and not final all the same: the source has lost rows
  assert.ok(!helps("daily", stored("2026-11-17T03:00:00Z")));
  assert.ok(helps("weekly", stored("2026-11-22T23:00:00Z")));
  assert.ok(!helps("weekly", stored("2026-11-23T04:00:00Z")));
});

test("complete is said of the range, and nothing of nothing", () => {
  const range = { from: "2026-11-01", to: "2026-11-03", organizationsTotal: 3 };
  const of = (behind, more) => completeText({ ...range, organizationsBehind: behind, ...more });
  assert.equal(of(1, {}), "1 Nov – 3 Nov 2026: complete for 2 of 3 organizations");
  assert.equal(
    of(0, { completeThrough: "2026-11-03", fresh: true }),
    "1 Nov – 3 Nov 2026: complete for all 3 organizations.",
  );
  // before the first trend nobody is complete
  assert.equal(
    of(0, { completeThrough: "2026-11-03", fresh: true, checkedFrom: "2026-11-02" }),
    "2 Nov – 3 Nov 2026: complete for all 3 organizations; nothing is stored before 2 Nov 2026.",
  );
  assert.equal(
    of(0, { completeThrough: "2026-11-03", fresh: true, checkedFrom: "2026-08-01" }),
    "1 Nov – 3 Nov 2026: complete for all 3 organizations.",
  );
  assert.equal(
    of(0, { completeThrough: null, fresh: false }),
    "Nothing is stored up to 3 Nov 2026, so gaps are unknown.",
  );
});

test("no hotspots is said only of what is stored", () => {
  const trends = (stored, expected, more) => ({
    period: "daily",
    totals: { organizationDaysStored: stored, organizationDaysExpected: expected },
    ...more,
  });
  assert.equal(hotOf(trends(1, 27, { organization: {} })), "1 of 27 days are stored");
  assert.equal(hotOf(trends(1, 27)), "1 of 27 organization-days are stored");
  assert.equal(hotOf(trends(27, 27)), null);
});

test("rows that count for nothing are said", () => {
  assert.equal(ignoredText(undefined, "weekly"), null);
  assert.equal(ignoredText({ offGrid: 0, ofNoOrganization: 0 }, "weekly"), null);
  assert.equal(
    ignoredText({ offGrid: 1, ofNoOrganization: 2 }, "weekly"),
    "Ignored: 1 stored row whose date is not the start of a week, 2 stored rows of an organization that does not exist.",
  );
});

test("nothing unusual is said only of those that can be judged", () => {
  const answer = {
    findings: [],
    organizationsCompared: 12,
    organizationsNotCompared: 0,
    from: "2026-11-25",
    period: "daily",
  };
  const needed =
    "Wed, 25 Nov 2026 and at least six of the eight same weekdays before it must be stored and final.";
  assert.deepEqual(attentionNotes(answer, 12), [
    "Nothing unusual for any organization: Wed, 25 Nov 2026.",
  ]);
  assert.deepEqual(
    attentionNotes({ ...answer, organizationsCompared: 9, organizationsNotCompared: 3 }, 12),
    [
      "Nothing unusual for 9 organizations: Wed, 25 Nov 2026.",
      `3 organizations do not have enough history; only clear cases are shown: ${needed}`,
    ],
  );
  const [none] = attentionNotes(
    { ...answer, organizationsCompared: 0, organizationsNotCompared: 12 },
    12,
  );
  assert.match(none, /^Not enough history to judge Wed, 25 Nov 2026/);
  assert.match(
    attentionNotes({ ...answer, findings: [{}], organizationsNotCompared: 1 }, 13)[0],
    /^1 organization does not have enough history; only clear cases/,
  );
});

test("one line for each organization, with its reasons in the order of the answer", () => {
  const [acme, dune] = [{ id: "1" }, { id: "2" }];
  const findings = [
    { organization: dune, figure: "escalations" },
    { organization: acme, figure: "riskScore" },
    { organization: dune, figure: "totalClassifications" },
  ];
  assert.deepEqual(byOrganization(findings), [
    { organization: dune, reasons: [findings[0], findings[2]] },
    { organization: acme, reasons: [findings[1]] },
  ]);
  assert.deepEqual(byOrganization([]), []);
});

test("a state is said once, as of its last day", () => {
  const risk = { figure: "riskScore", direction: "up" };
  const findings = [
    { ...risk, date: "2026-11-12", since: "2026-11-10" },
    { ...risk, date: "2026-11-10", since: "2026-11-10" },
    { ...risk, date: "2026-11-11", since: "2026-11-10" },
    // before it, and of another metric
    { ...risk, date: "2026-11-04", since: "2026-11-04" },
    { figure: "escalations", direction: "up", date: "2026-11-11", since: "2026-11-11" },
  ];
  assert.deepEqual(onceEach(findings), [findings[0], findings[3], findings[4]]);
});

test("another rule of hotspots is said, and nothing of the current one", () => {
  const present = { topics: ["complaint"], minMessages: 20, minRatio: 0.5, current: true };
  const earlier = {
    topics: ["complaint", "status_update"],
    minMessages: 10,
    minRatio: 0.07,
    current: false,
  };
  const unknown = { topics: null, minMessages: null, minRatio: null, current: null };
  const week = { from: "2026-11-03", to: "2026-11-09" };
  const nextWeek = { from: "2026-11-10", to: "2026-11-16" };
  const rule = "another rule: more than 7% of at least 10 messages (complaint, status update)";
  for (const rules of [null, [], [{ ...present, ...week }], [{ ...unknown, ...week }]])
    assert.equal(rulesNote(rules), null);
  assert.equal(
    rulesNote([{ ...earlier, ...week }]),
    `Hotspots of 3 Nov – 9 Nov 2026 were computed with ${rule}.`,
  );
  assert.equal(
    rulesNote([
      { ...unknown, from: "2026-11-02", to: "2026-11-02" },
      { ...earlier, ...week },
      { ...present, from: "2026-11-09", to: "2026-11-16" },
    ]),
    `Hotspots of 2 Nov 2026 were computed with an unknown rule; some of 3 Nov – 9 Nov 2026 with ${rule}.`,
  );
  assert.equal(
    rulesNote([
      { ...unknown, ...week },
      { ...present, ...nextWeek },
    ]),
    "Hotspots of 3 Nov – 9 Nov 2026 were computed with an unknown rule.",
  );
  assert.equal(
    rulesNote([
      { ...present, ...week },
      { ...earlier, ...week, minMessages: 1 },
    ]),
    `Some hotspots of 3 Nov – 9 Nov 2026 were computed with ${rule.replace("10 messages", "1 message")}.`,
  );
});

test("a question that is given up holds no slot, whether it waits for an answer, a slot or its turn", async () => {
  const server = createServer((request, response) => {
    // the one is busy for an hour, the other never answers
    if (request.url === "/busy") response.writeHead(503, { "Retry-After": "3600" }).end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${server.address().port}`;
  for (const path of ["/busy", "/hangs"]) {
    const inTurn = queue(1);
    const given = new AbortController();
    const asked = once(server, "request");
    const panels = [1, 2].map(() =>
      inTurn(() => ask(`${address}${path}`, { signal: given.signal })),
    );
    const next = inTurn(async () => "drawn");
    await asked;
    given.abort();
    for (const one of panels) await assert.rejects(one, { name: "AbortError" });
    assert.equal(await next, "drawn");
  }
  server.closeAllConnections();
  server.close();
});

test("an answer that is no JSON, or that ends early, is a problem in words", async (context) => {
  const server = createServer((request, response) => {
    if (request.url === "/login") response.end("<html>Log in</html>");
    else {
      response.writeHead(200, { "Content-Length": "100" }).write('{"days": [');
      setTimeout(() => response.destroy(), 50);
    }
  }).listen(0, "127.0.0.1");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, "listening");
  const address = `http://127.0.0.1:${server.address().port}`;
  for (const [path, message] of [
    [
      "/login",
      "The answer is not from Airflow's API: a login may have ended. Open the page again.",
    ],
    ["/early", "Airflow's API server does not answer."],
  ]) {
    await assert.rejects(ask(`${address}${path}`), { kind: "broken", message });
  }
});

test("a report says how many findings it has not", () => {
  const finding = {
    organization: { id: "1", name: "Acme" },
    sentence: "23 alerts",
    together: false,
  };
  const of = (totalEntries, organization) =>
    reportText({
      trends: { organization, organizationsTotal: 300, from: "2026-11-02", to: "2026-11-02" },
      comparison: null,
      attention: {
        ...{ findings: [finding], totalEntries, together: [], from: "2026-11-02", period: "daily" },
        ...{ organizationsCompared: 300, organizationsNotCompared: 0 },
      },
      freshness: null,
      time: 0,
      href: "",
    }).split("\n\n")[2];
  const heading = "Who needs a call: Mon, 2 Nov 2026\n- Acme: 23 alerts";
  assert.equal(of(1), heading);
  assert.equal(of(2), `${heading}\n- and 1 more finding`);
  assert.equal(of(251), `${heading}\n- and 250 more findings`);
});
