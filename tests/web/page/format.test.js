import assert from "node:assert/strict";
import test from "node:test";

import * as words from "../../../plugins/communication_trends/web/static/format.js";

test("one date format, with the year where it could be another", () => {
  assert.equal(words.shortDay("2026-09-01"), "1 Sep");
  assert.equal(words.longDay("2026-11-01"), "Sun, 1 Nov 2026");
  assert.equal(words.span({ from: "2026-11-01", to: "2026-11-01" }), "1 Nov 2026");
  assert.equal(words.span({ from: "2026-11-01", to: "2026-11-03" }), "1 Nov – 3 Nov 2026");
  assert.equal(words.span({ from: "2026-12-28", to: "2027-01-03" }), "28 Dec 2026 – 3 Jan 2027");
});

test("a moment has its date", () => {
  assert.equal(words.moment(Date.UTC(2026, 9, 27, 18, 2)), "27 Oct 2026, 18:02 UTC");
});

test("topics of a sentence are those of the settings", () => {
  assert.equal(words.anyOf(["complaint", "escalation"]), "complaint or escalation");
  Object.assign(words.PLURALS, { complaint: "complaints", escalation: "escalations" });
  assert.equal(words.anyOf(["complaint", "escalation"]), "complaints or escalations");
  assert.equal(words.anyOf(["billing_issue"]), "billing issue");
  assert.equal(words.anyOf(["a", "b", "c"]), "a, b or c");
});

test("periods have names of their kind", () => {
  assert.equal(words.longPeriod("daily", "2026-11-03"), "Tue, 3 Nov 2026");
  assert.equal(words.longPeriod("weekly", "2027-01-03"), "the week of 28 Dec 2026");
  assert.equal(words.longPeriod("monthly", "2028-02-01"), "Feb 2028");
  assert.equal(words.shortPeriod("monthly", "2028-02-01"), "Feb 2028");
  assert.equal(words.shortPeriod("weekly", "2026-11-02"), "2 Nov");
});

test("nothing known is no zero", () => {
  assert.equal(words.shown(null), "–");
  assert.equal(words.shown(undefined), "–");
  assert.equal(words.shown(0), "0");
  assert.equal(words.shown(75156), "75,156");
  assert.equal(words.percent(null), "–");
  assert.equal(words.percent(0), "0%");
});

test("one is singular", () => {
  assert.equal(words.count(1, "organization"), "1 organization");
  assert.equal(words.count(0, "day"), "0 days");
  assert.equal(words.count(1200, "day"), "1,200 days");
});

test("a change says its unit, and nothing where nothing can be compared", () => {
  assert.equal(words.change(-0.3, "%"), "▼ 0.3%");
  assert.equal(words.change(387.5, "%"), "▲ 387.5%");
  assert.equal(words.change(1, "points"), "▲ 1 point");
  assert.equal(words.change(-2.1, "points"), "▼ 2.1 points");
  assert.equal(words.change(0, "%"), "unchanged");
  assert.equal(words.change(null, "%"), null);
});

test("lists end", () => {
  assert.equal(words.list([]), "");
  assert.equal(words.list(["a"]), "a");
  assert.equal(words.list(["a", "b"]), "a and b");
  assert.equal(words.list(["a", "b", "c", "d"]), "a, b, c and d");
  assert.equal(words.list(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
});

test("topics in a sentence", () => {
  assert.equal(words.anyOf(["billing", "status_update", "a"]), "billing, status update or a");
  // not what every object has of that name
  for (const topic of ["constructor", "toString", "hasOwnProperty"])
    assert.equal(words.anyOf([topic]), topic);
});

test("names of the database", () => {
  assert.equal(words.label("status_update"), "status update");
  assert.equal(words.label(""), "(no name)");
  assert.equal(words.escaped('<b>&amp;"'), '&lt;b&gt;&amp;amp;"');
});
