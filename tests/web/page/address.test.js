import assert from "node:assert/strict";
import test from "node:test";

import {
  formatView,
  parseView,
  rangeOf,
} from "../../../plugins/communication_trends/web/static/address.js";

const LAST_DAY = "2026-11-24";

test("nothing asked for is the last thirty days of all organizations", () => {
  const view = parseView("");
  assert.equal(view.organization, null);
  assert.deepEqual(rangeOf(view, LAST_DAY), { from: "2026-10-26", to: LAST_DAY });
});

test("a view survives the address and comes back", () => {
  for (const query of [
    "?organization=lumen-health&days=90",
    "?organization=a%26b&from=2026-11-01&to=2026-11-03",
    "?days=7&offset=25",
  ]) {
    const view = parseView(query);
    assert.deepEqual(parseView(formatView(view)), view);
  }
});

test("what makes no sense is as if it had not been asked for", () => {
  for (const query of [
    "?days=-1",
    "?days=lots",
    "?from=2026-13-01&to=2026-11-03",
    "?from=20261101&to=2026-11-03",
    "?offset=1e9",
    "?organization=",
  ]) {
    assert.deepEqual(rangeOf(parseView(query), LAST_DAY), { from: "2026-10-26", to: LAST_DAY });
  }
});

test("days of a calendar are shown as they are", () => {
  const view = parseView("?from=2026-11-01&to=2026-11-03");
  assert.deepEqual(rangeOf(view, LAST_DAY), { from: "2026-11-01", to: "2026-11-03" });
});
