import assert from "node:assert/strict";
import test from "node:test";

import {
  addDays,
  addPeriods,
  calendarRange,
  firstDate,
  isoDay,
  lastDate,
  lastDue,
} from "../../../plugins/communication_trends/web/static/periods.js";

test("days are UTC days, also across a leap February's end", () => {
  assert.equal(addDays("2028-02-28", 1), "2028-02-29");
  assert.equal(addDays("2026-03-01", -1), "2026-02-28");
  assert.equal(isoDay(Date.UTC(2026, 10, 1, 23, 59)), "2026-11-01");
});

test("weeks begin on Monday, months on the 1st, also across a year's end", () => {
  assert.equal(firstDate("weekly", "2027-01-03"), "2026-12-28");
  assert.equal(firstDate("weekly", "2026-12-28"), "2026-12-28");
  assert.equal(lastDate("weekly", "2026-12-31"), "2027-01-03");
  assert.equal(addPeriods("weekly", "2027-01-01", -1), "2026-12-21");
  assert.equal(addPeriods("monthly", "2026-11-30", 3), "2027-02-01");
  assert.equal(addPeriods("monthly", "2026-01-31", -1), "2025-12-01");
  assert.equal(lastDate("monthly", "2028-02-10"), "2028-02-29");
  assert.equal(addPeriods("daily", "2026-12-31", 1), "2027-01-01");
});

test("before its run a period is not due", () => {
  const HOURS = 3600;
  const at = (text) => Date.parse(text);
  assert.equal(lastDue("daily", at("2026-11-25T02:59:59Z"), 3 * HOURS), "2026-11-23");
  assert.equal(lastDue("daily", at("2026-11-25T03:00:00Z"), 3 * HOURS), "2026-11-24");
  assert.equal(lastDue("weekly", at("2026-11-23T03:29:59Z"), 3.5 * HOURS), "2026-11-09");
  assert.equal(lastDue("weekly", at("2026-11-23T03:30:00Z"), 3.5 * HOURS), "2026-11-16");
  assert.equal(lastDue("monthly", at("2026-12-01T03:59:59Z"), 4 * HOURS), "2026-10-01");
  assert.equal(lastDue("monthly", at("2026-12-01T04:00:00Z"), 4 * HOURS), "2026-11-01");
});

test("the last month and quarter are those that have ended", () => {
  const of = (unit, last) => Object.values(calendarRange(unit, last));
  assert.deepEqual(of("month", "2026-10-29"), ["2026-09-01", "2026-09-30"]);
  // its last day is there
  assert.deepEqual(of("month", "2026-10-31"), ["2026-10-01", "2026-10-31"]);
  assert.deepEqual(of("quarter", "2026-10-29"), ["2026-07-01", "2026-09-30"]);
  assert.deepEqual(of("quarter", "2026-12-31"), ["2026-10-01", "2026-12-31"]);
  assert.deepEqual(of("quarter", "2027-01-15"), ["2026-10-01", "2026-12-31"]);
  assert.deepEqual(of("quarter", "2026-03-30"), ["2025-10-01", "2025-12-31"]);
});
