import assert from "node:assert/strict";
import test from "node:test";

import {
  segments,
  seriesOf,
  TOPICS,
} from "../../../plugins/communication_trends/web/static/series.js";

const day = (date, topics) => ({ date, topics, missing: topics === null });

test("an area ends at a gap", () => {
  const days = [day("01", {}), day("02", {}), day("03", null), day("04", null), day("05", {})];
  const dates = segments(days).map((run) => run.map((one) => one.date));
  assert.deepEqual(dates, [["01", "02"], ["05"]]);
  assert.deepEqual(segments([day("01", null)]), []);
});

test("known topics come worst first, others by size", () => {
  const days = [
    day("01", { general: 9, refund: 1, complaint: 2 }),
    day("02", null),
    day("03", { "": 4, complaint: 1, constructor: 1 }),
  ];
  const series = seriesOf(days, "topics", TOPICS, false);
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
    series.map((one) => one.of(days[2])),
    [1, 0, 4, 1, 0],
  );
  assert.deepEqual(
    series.map((one) => one.of(days[0])),
    [2, 9, 0, 0, 1],
  );
});
