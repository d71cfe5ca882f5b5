import assert from "node:assert/strict";
import test from "node:test";

import {
  confidenceOf,
  isNotFinal,
  meanOf,
  percentRange,
  REST_NAME,
  riskOf,
  segments,
  seriesOf,
  shareOf,
  WHOLE,
  windowsOf,
} from "../../../plugins/communication_trends/web/static/series.js";

const day = (date, messages, more = {}) => ({
  date,
  state: messages === null ? "missing" : "stored",
  whole: messages !== null,
  totalClassifications: messages,
  ...more,
});
const names = (series) => series.map((one) => one.name);

test("an area ends at a gap, and a day that is not final stands by itself", () => {
  const days = [day("01", 1), day("02", 1), day("03", null), day("04", null), day("05", 1)];
  assert.deepEqual(segments(windowsOf(days, null)), [[0, 1], [4]]);
  assert.deepEqual(segments(windowsOf([day("01", null)], null)), []);
  const today = day("03", 1, { isFinal: false });
  assert.deepEqual(segments(windowsOf([day("01", 1), day("02", 1), today], null)), [[0, 1], [2]]);
});

test("what is not final is so of one tenant, or of some of all; an unknown origin is not", () => {
  assert.ok(isNotFinal(day("01", 1, { isFinal: false })));
  assert.ok(isNotFinal(day("01", 1, { organizationsNotFinal: 2 })));
  for (const known of [{}, { isFinal: null }, { isFinal: true }, { organizationsNotFinal: 0 }])
    assert.ok(!isNotFinal(day("01", 1, known)));
  assert.ok(!isNotFinal(day("01", null, { isFinal: false })));
});

test("known topics come worst first, others by size", () => {
  const topics = { general: 9, refund: 1, complaint: 3, "": 4, constructor: 1 };
  const first = { topics: { general: 9, refund: 1, complaint: 2 } };
  const series = seriesOf({ topics }, "topics", { theme: "light", all: false });
  assert.deepEqual(
    series.map((one) => [one.name, one.total]),
    [
      ["complaint", 3],
      ["general", 9],
      ["", 4],
      ["constructor", 1],
      ["refund", 1],
    ],
  );
  assert.deepEqual(
    series.map((one) => one.of(first)),
    [2, 9, 0, 0, 1],
  );
});

test("forty topics: eleven of them, the rest together, or all", () => {
  const topics = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [
      `topic ${String(index).padStart(2, "0")}`,
      50 - index,
    ]),
  );
  const few = seriesOf({ topics }, "topics", { theme: "light", all: false });
  assert.deepEqual(names(few), [...Object.keys(topics).slice(0, 11), REST_NAME]);
  assert.equal(few.at(-1).text, "29 more");
  // 39 + 38 + … + 11
  assert.equal(few.at(-1).total, 725);
  assert.equal(few.at(-1).of({ topics }), 725);
  const all = seriesOf({ topics }, "topics", { theme: "light", all: true });
  assert.deepEqual(names(all), Object.keys(topics));
});

test("twelve topics need no rest", () => {
  const topics = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`t${index}`, 1]));
  const series = seriesOf({ topics }, "topics", { theme: "dark", all: false });
  assert.equal(series.length, 12);
  assert.ok(!names(series).includes(REST_NAME));
});

test("a share over several days is of their sums", () => {
  assert.equal(riskOf([day("01", 8, { riskyClassifications: 2 })]), 25);
  assert.equal(riskOf([day("01", 0, { riskyClassifications: 0 })]), null);
  // 1 of 1 and 0 of 9: 10%, not the mean of 100% and 0%
  const two = [
    day("01", 1, { riskyClassifications: 1 }),
    day("02", 9, { riskyClassifications: 0 }),
  ];
  assert.equal(riskOf(two), 10);
});

test("a share is divided once, also of a mean", () => {
  const total = (one) => one.totalClassifications;
  const risky = (one) => one.riskyClassifications;
  // 17 of 40 are 42.5%, also over seven days
  const week = Array.from({ length: 7 }, (_, index) =>
    day(String(index), index ? 0 : 40, { riskyClassifications: index ? 0 : 17 }),
  );
  assert.equal(shareOf(week, risky, total), 42.5);
  assert.equal(shareOf(week.slice(1), risky, total), null);
});

test("confidence is of the messages that have one", () => {
  const sums = (confidenceSum, classificationsWithConfidence) => ({
    confidenceSum,
    classificationsWithConfidence,
  });
  const days = [day("01", 1, sums(100, 1)), day("02", 9, sums(180, 3)), day("03", 5, sums(0, 0))];
  assert.equal(confidenceOf(days), 70);
  assert.equal(confidenceOf([days[2]]), null);
});

test("a mean of seven days is of seven whole days, or there is none", () => {
  const counts = (values) => values.map((value, index) => day(String(index), value));
  const means = (before, days) =>
    windowsOf(days, before).map(
      (window) => window && meanOf(window, (one) => one.totalClassifications),
    );
  const before = counts([70, 10, 10, 10, 10, 10]);
  // (70 + 5 × 10 + 20) / 7; (5 × 10 + 2 × 20) / 7; none with the gap
  assert.deepEqual(means(before, counts([20, 20, null, 20])), [20, 90 / 7, null, null]);
  // today goes on, and one of ten tenants is missing: both less than they will be
  for (const less of [{ isFinal: false }, { organizationsMissing: 1 }])
    assert.deepEqual(means(before, [day("6", 20, { ...less, whole: false })]), [null]);
  assert.deepEqual(means([], counts([1, 1, 1, 1])), [null, null, null, null]);
});

test("what shares are of", () => {
  const one = { totalClassifications: 7, messagesWithTone: 5, escalationsTotal: 3 };
  assert.deepEqual(
    ["topics", "tones", "escalations"].map((field) => WHOLE[field](one)),
    [7, 5, 3],
  );
});

test("an axis of confidence shows the line, at least ten points, within 0 and 100", () => {
  assert.deepEqual(percentRange([81, 82, 83, null]), [75, 85]);
  assert.deepEqual(percentRange([100]), [90, 100]);
  assert.deepEqual(percentRange([0]), [0, 10]);
  assert.deepEqual(percentRange([10, 90]), [5, 95]);
  assert.deepEqual(percentRange([null]), [0, 100]);
});
