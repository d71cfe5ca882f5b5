import assert from "node:assert/strict";
import test from "node:test";

import {
  changed,
  formatView,
  isDate,
  isId,
  parseView,
  rangeOf,
} from "../../../plugins/communication_trends/web/static/address.js";

const DUE = "2026-11-24";
const THIRTY_DAYS = { from: "2026-10-26", to: DUE };

test("nothing asked for is the last thirty days of all organizations", () => {
  const view = parseView("");
  assert.equal(view.organization, null);
  assert.deepEqual(rangeOf(view, DUE), THIRTY_DAYS);
  assert.equal(formatView(view), "");
});

test("a view survives the address and comes back", () => {
  for (const query of [
    "?organization=lumen-health&days=90",
    "?organization=a%26b&from=2026-11-01&to=2026-11-03",
    "?days=7&offset=25",
    "?period=weekly&weeks=4&sort=riskScoreChange&order=asc",
    "?period=monthly",
    "?topic=&share=1&mean=7",
    "?organization=x&channel=C+1",
  ]) {
    assert.equal(formatView(parseView(query)), query);
  }
});

test("what makes no sense is as if it had not been asked for", () => {
  for (const query of [
    "?days=-1",
    "?days=lots",
    "?from=2026-13-01&to=2026-11-03",
    "?from=2026-02-30&to=2026-11-03",
    "?from=20261101&to=2026-11-03",
    "?from=0006-11-01&to=2026-11-03",
    "?from=2026-11-04&to=2026-11-03",
    "?from=2026-11-04",
    "?offset=1e9",
    "?organization=",
    "?period=hourly",
  ]) {
    assert.deepEqual(rangeOf(parseView(query), DUE), THIRTY_DAYS, query);
  }
});

test("weeks and months are counted in their kind", () => {
  assert.deepEqual(rangeOf(parseView("?period=weekly&weeks=2"), "2026-11-16"), {
    from: "2026-11-09",
    to: "2026-11-22",
  });
  assert.deepEqual(rangeOf(parseView("?period=monthly&months=3"), "2026-02-01"), {
    from: "2025-12-01",
    to: "2026-02-28",
  });
});

test("a change takes back what it makes meaningless", () => {
  const view = parseView("?organization=a&channel=C1&offset=25&from=2026-11-01&to=2026-11-03");
  assert.equal(formatView(changed(view, { organization: null })), "?from=2026-11-01&to=2026-11-03");
  assert.equal(
    formatView(changed(view, { period: "weekly" })),
    "?organization=a&period=weekly&channel=C1",
  );
  assert.equal(changed(view, { organization: "b", channel: "C2" }).channel, "C2");
});

test("an id is no slug", () => {
  assert.ok(isId("00000000-0000-4000-8000-00000000000A"));
  for (const slug of [
    "",
    "..",
    "a/b",
    null,
    "0000000000004000800000000000000a",
    "00000000-0000-4000-8000-00000000000a/x",
  ])
    assert.ok(!isId(slug), slug);
});

test("a date is a day of the calendar", () => {
  for (const text of ["2026-11-24", "2028-02-29"]) assert.ok(isDate(text));
  for (const text of ["2026-02-29", "2026-11-31", "0006-11-01", "1999-12-31", "", null, "x"])
    assert.ok(!isDate(text), text);
});
