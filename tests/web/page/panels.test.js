import assert from "node:assert/strict";
import test from "node:test";

import { problemOf, queue } from "../../../plugins/communication_trends/web/static/ask.js";
import { byPeriod } from "../../../plugins/communication_trends/web/static/panels.js";
import { figures } from "../../../plugins/communication_trends/web/static/run.js";

test("what is missing runs once per period, oldest first, for those who lack it", () => {
  const [acme, dune] = [{ id: "1" }, { id: "2" }];
  const behind = [
    { organization: acme, missingDays: ["2026-11-24", "2026-11-18"] },
    { organization: dune, missingDays: ["2026-11-24"] },
  ];
  assert.deepEqual(byPeriod(behind), [
    { date: "2026-11-18", organizations: [acme] },
    { date: "2026-11-24", organizations: [acme, dune] },
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
  assert.deepEqual(figures({ lookback }), ["2 earlier ones filled", "1 earlier ones corrected"]);
});
