import assert from "node:assert/strict";
import test from "node:test";

import * as words from "../../../plugins/communication_trends/web/static/words.js";

test("days are UTC days, also across a month's and a leap February's end", () => {
  assert.equal(words.addDays("2028-02-28", 1), "2028-02-29");
  assert.equal(words.addDays("2026-03-01", -1), "2026-02-28");
  assert.equal(words.addDays("2026-11-01", 0), "2026-11-01");
  assert.equal(words.isoDay(Date.UTC(2026, 10, 1, 23, 59)), "2026-11-01");
  assert.equal(words.shortDay("2026-11-01"), "1 Nov");
  assert.equal(words.longDay("2026-11-01"), "Sun, 1 Nov 2026");
});

test("a range of one day is that day", () => {
  assert.equal(words.span({ from: "2026-11-01", to: "2026-11-01" }), "1 Nov");
  assert.equal(words.span({ from: "2026-11-01", to: "2026-11-03" }), "1 Nov – 3 Nov");
});

test("nothing known is no zero", () => {
  assert.equal(words.shown(null), "–");
  assert.equal(words.shown(undefined), "–");
  assert.equal(words.shown(0), "0");
  assert.equal(words.shown(75156), "75,156");
});

test("one is singular", () => {
  assert.equal(words.count(1, "organization"), "1 organization");
  assert.equal(words.count(0, "day"), "0 days");
  assert.equal(words.count(1200, "day"), "1,200 days");
});

test("names of the database", () => {
  assert.equal(words.label("status_update"), "status update");
  assert.equal(words.label(""), "(no topic)");
  assert.equal(words.escaped('<b>&amp;"'), '&lt;b&gt;&amp;amp;"');
});
