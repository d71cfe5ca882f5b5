import assert from "node:assert/strict";
import test from "node:test";

import {
  confidenceOf,
  meanOf,
  percentRange,
  REST_NAME,
  riskOf,
  segments,
  seriesOf,
  windowsOf,
} from "../../../plugins/communication_trends/web/static/series.js";

const RISKY = ["complaint", "escalation"];
const day = (date, topics, more = {}) => ({
  date,
  topics,
  state: topics ? "stored" : "missing",
  totalClassifications: topics && Object.values(topics).reduce((sum, value) => sum + value, 0),
  ...more,
});
const names = (series) => series.map((one) => one.name);

test("an area ends at a gap", () => {
  const days = [day("01", {}), day("02", {}), day("03", null), day("04", null), day("05", {})];
  assert.deepEqual(segments(windowsOf(days, null)), [[0, 1], [4]]);
  assert.deepEqual(segments(windowsOf([day("01", null)], null)), []);
});

test("known topics come worst first, others by size", () => {
  const days = [
    day("01", { general: 9, refund: 1, complaint: 2 }),
    day("02", null),
    day("03", { "": 4, complaint: 1, constructor: 1 }),
  ];
  const series = seriesOf(days, "topics", { theme: "light", all: false });
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
    series.map((one) => one.of(days[0])),
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
  const days = [day("01", topics)];
  const few = seriesOf(days, "topics", { theme: "light", all: false });
  assert.deepEqual(names(few), [...Object.keys(topics).slice(0, 11), REST_NAME]);
  assert.equal(few.at(-1).text, "29 more");
  // 39 + 38 + … + 11
  assert.equal(few.at(-1).total, 725);
  assert.equal(few.at(-1).of(days[0]), 725);
  const all = seriesOf(days, "topics", { theme: "light", all: true });
  assert.deepEqual(names(all), Object.keys(topics));
});

test("twelve topics need no rest", () => {
  const topics = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`t${index}`, 1]));
  const series = seriesOf([day("01", topics)], "topics", { theme: "dark", all: false });
  assert.equal(series.length, 12);
  assert.ok(!names(series).includes(REST_NAME));
});

test("risk is a share of counts, also over several days", () => {
  assert.equal(riskOf([day("01", { complaint: 1, escalation: 1, general: 6 })], RISKY), 25);
  assert.equal(riskOf([day("01", {})], RISKY), null);
  // 1 of 1 and 0 of 9: 10 %, not the mean of 100 % and 0 %
  const two = [day("01", { complaint: 1 }), day("02", { general: 9 })];
  assert.equal(riskOf(two, RISKY), 10);
});

test("confidence over several days is weighted by messages", () => {
  const two = [
    day("01", { general: 1 }, { avgConfidence: 100 }),
    day("02", { general: 3 }, { avgConfidence: 60 }),
    day("03", { general: 5 }, { avgConfidence: null }),
  ];
  assert.equal(confidenceOf(two), 70);
  assert.equal(confidenceOf([two[2]]), null);
});

test("a mean is of the day and the six before, where at least four are stored", () => {
  const counts = (values) =>
    values.map((value, index) => day(String(index), value === null ? null : { general: value }));
  const before = counts([70, 10, 10, 10, 10, 10]);
  const days = counts([20, 20, null, 20]);
  const means = windowsOf(days, before).map(
    (window) => window && meanOf(window, (one) => one.totalClassifications),
  );
  // (70 + 5 × 10 + 20) / 7; (5 × 10 + 2 × 20) / 7; a gap; (3 × 10 + 3 × 20) / 6
  assert.deepEqual(means, [20, 90 / 7, null, 15]);
  assert.deepEqual(
    windowsOf(counts([1, 1, 1, 1]), []).map((window) => window?.length ?? null),
    [null, null, null, 4],
  );
});

test("an axis of confidence shows the line, at least ten points, within 0 and 100", () => {
  assert.deepEqual(percentRange([81, 82, 83, null]), [75, 85]);
  assert.deepEqual(percentRange([100]), [90, 100]);
  assert.deepEqual(percentRange([0]), [0, 10]);
  assert.deepEqual(percentRange([10, 90]), [5, 95]);
  assert.deepEqual(percentRange([null]), [0, 100]);
});
