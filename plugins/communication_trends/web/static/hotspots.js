// The hotspots of a range, and the days of one channel.

import { el, update } from "./dom.js";
import {
  anyOf,
  capitalize,
  count,
  label,
  longPeriod,
  NOUNS,
  nounOf,
  percent,
  shortPeriod,
  shown,
  span,
} from "./format.js";
import {
  head,
  headings,
  linkButton,
  organizationLink,
  plainButton,
  quiet,
  riskBadge,
  tableIn,
} from "./panels.js";
import { isStored } from "./series.js";

/**
 * Say which hotspots of the range were computed with another rule than that of the present settings, or with an unknown
 * one; null where all have the same, and it is the current one or none is known.
 */
export function rulesNote(rules) {
  const others = (rules ?? []).filter(({ current }) => !current);
  if (!others.length || (rules.length === 1 && others[0].topics === null)) return null;
  const overlaps = (rule) =>
    rules.some((other) => other !== rule && other.from <= rule.to && other.to >= rule.from);
  const how = ({ topics, minMessages, minRatio }) =>
    topics === null
      ? "an unknown rule"
      : `another rule: more than ${percent(minRatio * 100)} of at least ${count(minMessages, "message")} (${topics.map(label).join(", ")})`;
  const [first, ...rest] = others;
  return `${[
    `${overlaps(first) ? "Some hotspots" : "Hotspots"} of ${span(first)} were computed with ${how(first)}`,
    ...rest.map(
      (rule) => `${overlaps(rule) ? "some" : "those"} of ${span(rule)} with ${how(rule)}`,
    ),
  ].join("; ")}.`;
}

/** Draw the hotspots; with their organizations where the answer is about all. */
export function drawHotspots(box, answer, { trends, csv, navigate }) {
  const { hotspots, totalEntries, period, hotspotRules } = answer;
  const every = !trends.organization;
  const about = `Channels where many messages are ${anyOf(trends.riskyTopics)}, the riskiest first.`;
  const title = head("hotspots-title", "Hotspots", about, csv);
  const of = hotOf(trends);
  const notes = [rulesNote(hotspotRules), hotspots.length && of ? `${of}.` : null];
  const said = notes.filter(Boolean).map(quiet);
  box.hidden = false;
  if (!hotspots.length) {
    const none = of ? `No hotspots, as far as is known: ${of}.` : "No hotspots in this range.";
    update(box, title, el("p", { class: "empty" }, none), said);
    return;
  }
  const hot = `Hot ${NOUNS[period]}s`;
  const columns = [
    ["Channel", ""],
    ...(every ? [["Organization", ""]] : []),
    ["Risk", ""],
    ["Worst", "number extra"],
    [hot, "number"],
    ["Messages", "number optional"],
    ["Last hot", "extra"],
  ];
  const rest = `The first ${hotspots.length} of ${shown(totalEntries)}; the CSV has all.`;
  update(
    box,
    title,
    tableIn(
      "scroll-x",
      "Table of hotspots",
      headings(columns),
      hotspots.map((entry) => hotspotRow(entry, { every, period, navigate })),
    ),
    totalEntries > hotspots.length ? el("p", { class: "pager" }, rest) : null,
    said,
  );
}

function hotspotRow(entry, { every, period, navigate }) {
  const { organization, channelId } = entry;
  const open = () => navigate({ organization: organization.id, channel: channelId }, organization);
  return el(
    "tr",
    { "data-key": `${organization.id} ${channelId}` },
    el("td", {}, linkButton(channelId || "(empty id)", open)),
    every ? el("td", {}, organizationLink(organization, navigate)) : null,
    el("td", {}, riskBadge(entry.riskScore)),
    el("td", { class: "number extra" }, percent(entry.peakRiskScore)),
    el("td", { class: "number" }, shown(entry.daysHot)),
    el("td", { class: "number optional" }, shown(entry.messageCount)),
    el("td", { class: "extra" }, shortPeriod(period, entry.lastHotDay)),
  );
}

/** Say of how many days hotspots are known; null where that is all of them. */
export function hotOf({ totals, ...of }) {
  const { organizationDaysStored: stored, organizationDaysExpected: expected } = totals;
  if (stored >= expected) return null;
  return `${shown(stored)} of ${count(expected, nounOf(of))} ${expected === 1 ? "is" : "are"} stored`;
}

/** Draw the days on which one channel of the organization is a hotspot; nothing for null. */
export function drawChannel(box, { days, period }, channel, navigate) {
  box.hidden = channel === null;
  if (box.hidden) return;
  const hot = days.flatMap(({ date, hotspots }) =>
    (hotspots ?? [])
      .filter(({ channelId }) => channelId === channel)
      .map((spot) => ({ ...spot, date })),
  );
  const row = ({ date, riskScore, messageCount }) =>
    el(
      "tr",
      { "data-key": date },
      el("th", { scope: "row" }, longPeriod(period, date)),
      el("td", {}, riskBadge(riskScore)),
      el("td", {}, el("i", { class: "bar", style: `width: ${riskScore}%` })),
      el("td", { class: "number" }, shown(messageCount)),
    );
  const columns = [
    [capitalize(NOUNS[period]), ""],
    ["Risk", ""],
    ["", "wide-cell"],
    ["Messages", "number"],
  ];
  const known = count(days.filter(isStored).length, `stored ${NOUNS[period]}`);
  const about = `A hotspot on ${shown(hot.length)} of ${known}. Only hotspot ${NOUNS[period]}s are stored.`;
  update(
    box,
    head("channel-title", `Channel ${channel || "(empty id)"}`, about, null),
    hot.length
      ? tableIn("scroll", "Hotspot days", headings(columns), hot.toReversed().map(row))
      : null,
    plainButton("Close", () => navigate({ channel: null }), { class: "plain close" }),
  );
}
