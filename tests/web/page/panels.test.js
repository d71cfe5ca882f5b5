import assert from "node:assert/strict";
import test from "node:test";

import { problemOf, queue } from "../../../plugins/communication_trends/web/static/ask.js";
import {
  attentionNotes,
  byPeriod,
  rulesNote,
} from "../../../plugins/communication_trends/web/static/panels.js";
import { movedText } from "../../../plugins/communication_trends/web/static/ranking.js";
import { fate, figures } from "../../../plugins/communication_trends/web/static/run.js";

test("what is missing runs once per period, oldest first, for those who lack it", () => {
  const [acme, dune] = [{ id: "1" }, { id: "2" }];
  const behind = [
    { organization: acme, missingDays: ["2026-11-24", "2026-11-18"] },
    { organization: dune, missingDays: ["2026-11-24"] },
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
  assert.equal(problemOf(500).message, "Airflow answered 500.");
});

test("a few at a time, and a failure gives its place back", async () => {
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
  assert.deepEqual(figures(null), []);
  assert.deepEqual(figures({ trendsCreated: 11, organizationsProcessed: 12, keptTrends: 0 }), [
    "11 of 12 organizations stored",
  ]);
  const lookback = { periods: 7, filled: 2, corrected: 1, kept: 0, failed: 0 };
  assert.deepEqual(figures({ lookback }), ["2 earlier trends filled", "1 earlier trend corrected"]);
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
    "kept as stored: messages have been deleted since · filled 14 Oct and 15 Oct · failed for 13 Oct · kept as stored: 14 Oct",
  );
  // killed before it could tell anything
  assert.equal(fate(null, "failed", "daily"), "failed");
  assert.equal(fate({ failed: ["a", "b"] }, "failed", "daily"), "failed 2 organizations");
});

test("no comparison is not unchanged", () => {
  const both = { matchedDays: 3, daysStored: 30 };
  assert.equal(movedText(both, 0, "%", 7), "±0 %");
  assert.equal(movedText(both, -2.5, "points", 7), "▼ 2.5");
  assert.equal(movedText(both, null, "%", 7), "from 0");
  assert.equal(movedText(both, null, "%", 0), "");
  assert.equal(movedText({ matchedDays: 0, daysStored: 30 }, null, "%", 7), "–");
});

test("nothing unusual is said only of those that can be judged", () => {
  const answer = { findings: [], organizationsCompared: 12, from: "2026-11-25", period: "daily" };
  const needed =
    "Wed, 25 Nov 2026 and at least six of the eight same weekdays before it must be stored.";
  assert.deepEqual(attentionNotes(answer, 12), [
    "Nothing unusual for any organization: Wed, 25 Nov 2026.",
  ]);
  assert.deepEqual(attentionNotes({ ...answer, organizationsCompared: 9 }, 12), [
    "Nothing unusual for 9 organizations: Wed, 25 Nov 2026.",
    `It cannot be said for 3 organizations: ${needed}`,
  ]);
  const [none] = attentionNotes({ ...answer, organizationsCompared: 0 }, 12);
  assert.match(none, /^What is unusual cannot be said for Wed, 25 Nov 2026/);
  assert.match(
    attentionNotes({ ...answer, findings: [{}] }, 13)[0],
    /^It cannot be said for 1 org/,
  );
});

test("another rule of hotspots is said, and nothing of the present one", () => {
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
  const rule = "another rule: more than 7 % of at least 10 messages (complaint, status update)";
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
