// The panels that are no charts: what is unusual, the hotspots; and what all panels are made of.

import { h, update } from "./dom.js";
import { isStored } from "./series.js";
import {
  anyOf,
  count,
  label,
  longPeriod,
  NOUNS,
  nounOf,
  percent,
  shortPeriod,
  shown,
  span,
} from "./words.js";

const SHOWN_FINDINGS = 6;

/** A panel's title, what it is about, and its numbers as CSV. */
export const head = (id, title, about, csv) =>
  h(
    "div",
    { class: "panel-head" },
    h("h2", { id }, title),
    csv
      ? h(
          "a",
          { class: "download", href: csv, download: true, "aria-label": `${title} as CSV` },
          "CSV",
        )
      : null,
    about ? h("span", { class: "about" }, about) : null,
  );

export const organizationLink = (organization, show, more = {}) =>
  h(
    "button",
    {
      class: "link wrap",
      type: "button",
      onclick: () => show({ organization: organization.id, ...more }, organization),
    },
    organization.name,
  );

/** Say that one panel could not be filled; the others are as they are. */
export function drawFailure(box, title, problem, retry) {
  box.hidden = false;
  update(
    box,
    h("h2", { id: `${box.id}-title` }, title),
    h("p", { class: "problem" }, problem.message),
    h("button", { class: "plain", type: "button", onclick: retry }, "Try again"),
  );
}

/**
 * Draw what is unusual for a tenant, in the words of the API.
 *
 * @param {HTMLElement} box
 * @param {object} answer of the last period of the range
 * @param {object} context
 * @param {number|null} context.total organizations there are; null where the answer is about one
 * @param {{findings: object[], problem: string|undefined}} context.marked what is unusual in the whole range, of one
 *   organization, or why that is not known
 * @param {function()} context.more asks for the next findings
 */
export function drawAttention(box, answer, { total, marked, csv, show, more }) {
  const { findings, totalEntries, together, from, period } = answer;
  box.hidden = false;
  const every = total !== null;
  const reason = (one, when) =>
    h(
      "li",
      { class: one.direction, "data-key": `${one.organization.id} ${one.date} ${one.figure}` },
      when ? h("strong", {}, shortPeriod(period, one.date)) : null,
      h("span", {}, one.sentence),
    );
  const tenant = ({ organization, reasons }) =>
    h(
      "li",
      { class: reasons[0].direction, "data-key": organization.id },
      h("strong", {}, organizationLink(organization, show)),
      h("span", {}, reasons.map(({ sentence }) => sentence).join(" · ")),
    );
  const listed = (items) => [
    items.length
      ? h("ul", { class: "findings", "data-key": "first" }, items.slice(0, SHOWN_FINDINGS))
      : null,
    items.length > SHOWN_FINDINGS
      ? h(
          "details",
          { "data-key": "rest" },
          h("summary", {}, `and ${shown(items.length - SHOWN_FINDINGS)} more`),
          h("ul", { class: "findings" }, items.slice(SHOWN_FINDINGS)),
        )
      : null,
  ];
  const quiet = (text) => h("p", { class: "quiet" }, text);
  const tenants = byOrganization(findings);
  const own = tenants.filter(({ reasons }) => reasons.some((one) => !one.together));
  const others = tenants.filter(({ reasons }) => reasons.every((one) => one.together));
  const rest = totalEntries - findings.length;
  const earlier = onceEach([...findings, ...marked.findings]).filter(({ date }) => date !== from);
  const about =
    period === "daily"
      ? "Against each tenant's own eight weeks before, weekday by weekday."
      : `Against each tenant's own eight ${NOUNS[period]}s before.`;
  const group = (key, ...children) => h("div", { class: "group", "data-key": key }, ...children);
  const title = every ? "Who needs a call" : "Unusual";
  update(
    box,
    findings.length
      ? head("attention-title", `${title}: ${longPeriod(period, from)}`, about, csv)
      : h("h2", { id: "attention-title" }, title),
    every
      ? [
          group("own", listed(own.map(tenant))),
          ...together.map(({ sentence }) =>
            h("p", { class: "together", "data-key": sentence }, sentence),
          ),
          group(
            "alike",
            others.length
              ? h(
                  "details",
                  {},
                  h(
                    "summary",
                    {},
                    `${count(others.length, "organization")} with nothing else unusual`,
                  ),
                  h("ul", { class: "findings" }, others.map(tenant)),
                )
              : null,
          ),
        ]
      : group("own", listed(findings.map((one) => reason(one, false)))),
    rest > 0
      ? h(
          "button",
          { class: "plain", type: "button", "data-key": "more", onclick: more },
          `Show more: ${shown(rest)} findings left`,
        )
      : null,
    ...attentionNotes(answer, total).map(quiet),
    ...(earlier.length
      ? [
          h("h3", {}, "Earlier in this range"),
          group("earlier", listed(earlier.map((one) => reason(one, true)))),
        ]
      : []),
    marked.problem ? quiet(`Earlier in this range: ${marked.problem}`) : null,
  );
}

/** Return what was found by organization, in the order of the answer. */
export function byOrganization(findings) {
  const tenants = new Map();
  for (const one of findings) {
    const { organization } = one;
    if (!tenants.has(organization.id)) tenants.set(organization.id, { organization, reasons: [] });
    tenants.get(organization.id).reasons.push(one);
  }
  return [...tenants.values()];
}

/** Leave out of one organization's findings those of a state that a later one says again. */
export const onceEach = (findings) =>
  findings.filter(
    (one) =>
      !findings.some(
        (later) =>
          later.date > one.date &&
          later.since <= one.date &&
          later.figure === one.figure &&
          later.direction === one.direction,
      ),
  );

/** Say for whom nothing is unusual, and for whom that cannot be said: silence would look the same. */
export function attentionNotes(answer, total) {
  const { findings, organizationsCompared, from, period } = answer;
  const when = longPeriod(period, from);
  const needed = `at least six of the eight ${period === "daily" ? "same weekdays" : `${NOUNS[period]}s`} before it`;
  if (!organizationsCompared && !findings.length) {
    return [`Not enough history to judge ${when}: it and ${needed} must be stored and final.`];
  }
  const unknown = answer.organizationsNotCompared;
  const notes = [];
  if (!findings.length) {
    const all = total === null ? "this organization" : "any organization";
    const whom = unknown > 0 ? count(organizationsCompared, "organization") : all;
    notes.push(`Nothing unusual for ${whom}: ${when}.`);
  }
  if (unknown > 0) {
    notes.push(
      `${count(unknown, "organization")} ${unknown === 1 ? "does" : "do"} not have enough history yet to judge more than what is certain: ${when} and ${needed} must be stored and final.`,
    );
  }
  return notes;
}

const headings = (columns) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      columns.map(([text, name]) =>
        text ? h("th", { scope: "col", class: name }, text) : h("td", { class: name }),
      ),
    ),
  );

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
export function drawHotspots(box, answer, { trends, csv, show }) {
  const { hotspots, totalEntries, period, hotspotRules } = answer;
  const every = !trends.organization;
  const about = `Channels where many messages are ${anyOf(trends.riskyTopics)}, the riskiest first.`;
  const title = head("hotspots-title", "Hotspots", about, csv);
  const of = hotOf(trends);
  const notes = [rulesNote(hotspotRules), hotspots.length && of ? `${of}.` : null];
  const quiet = notes.filter(Boolean).map((note) => h("p", { class: "quiet" }, note));
  box.hidden = false;
  if (!hotspots.length) {
    const none = of ? `No hotspots, as far as is known: ${of}.` : "No hotspots in this range.";
    update(box, title, h("p", { class: "empty" }, none), quiet);
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
  const row = (entry) => {
    const { organization, channelId } = entry;
    const open = () => show({ organization: organization.id, channel: channelId }, organization);
    return h(
      "tr",
      { "data-key": `${organization.id} ${channelId}` },
      h(
        "td",
        {},
        h(
          "button",
          { class: "link wrap", type: "button", onclick: open },
          channelId || "(empty id)",
        ),
      ),
      every ? h("td", {}, organizationLink(organization, show)) : null,
      h("td", {}, riskBadge(entry.riskScore)),
      h("td", { class: "number extra" }, percent(entry.peakRiskScore)),
      h("td", { class: "number" }, shown(entry.daysHot)),
      h("td", { class: "number optional" }, shown(entry.messageCount)),
      h("td", { class: "extra" }, shortPeriod(period, entry.lastHotDay)),
    );
  };
  const rest = `The first ${hotspots.length} of ${shown(totalEntries)}; the CSV has all.`;
  update(
    box,
    title,
    h(
      "div",
      { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "Table of hotspots" },
      h("table", {}, headings(columns), h("tbody", {}, hotspots.map(row))),
    ),
    totalEntries > hotspots.length ? h("p", { class: "pager" }, rest) : null,
    quiet,
  );
}

/** Say of how many days hotspots are known; null where that is all of them. */
export function hotOf({ totals, ...of }) {
  const { organizationDaysStored: stored, organizationDaysExpected: expected } = totals;
  if (stored >= expected) return null;
  return `${shown(stored)} of ${count(expected, nounOf(of))} ${expected === 1 ? "is" : "are"} stored`;
}

/** Draw the days on which one channel of the organization is a hotspot; nothing for null. */
export function drawChannel(box, { days, period }, channel, show) {
  box.hidden = channel === null;
  if (box.hidden) return;
  const hot = days.flatMap(({ date, hotspots }) =>
    (hotspots ?? [])
      .filter(({ channelId }) => channelId === channel)
      .map((spot) => ({ ...spot, date })),
  );
  const row = ({ date, riskScore, messageCount }) =>
    h(
      "tr",
      { "data-key": date },
      h("th", { scope: "row" }, longPeriod(period, date)),
      h("td", {}, riskBadge(riskScore)),
      h("td", {}, h("i", { class: "bar", style: `width: ${riskScore}%` })),
      h("td", { class: "number" }, shown(messageCount)),
    );
  const known = count(days.filter(isStored).length, `stored ${NOUNS[period]}`);
  const about = `Hot on ${shown(hot.length)} of ${known}. Of a channel only its hot ${NOUNS[period]}s are stored.`;
  update(
    box,
    head("channel-title", `Channel ${channel || "(empty id)"}`, about, null),
    ...(hot.length
      ? [
          h(
            "div",
            { class: "scroll", tabindex: "0", role: "region", "aria-label": "Hotspot days" },
            h(
              "table",
              {},
              headings([
                [NOUNS[period].replace(/^./, (letter) => letter.toUpperCase()), ""],
                ["Risk", ""],
                ["", "wide-cell"],
                ["Messages", "number"],
              ]),
              h("tbody", {}, hot.toReversed().map(row)),
            ),
          ),
        ]
      : []),
    h(
      "button",
      { class: "plain close", type: "button", onclick: () => show({ channel: null }) },
      "Close",
    ),
  );
}

const LEVELS = [
  [60, "high"],
  [40, "elevated"],
  [20, "some"],
  [0, "low"],
];

/** A share of risky messages, colored by how much it is. */
export function riskBadge(score) {
  if (score === null) return h("span", { class: "risk low" }, "–");
  const [, level] = LEVELS.find(([from]) => score >= from);
  return h(
    "span",
    { class: `risk ${level}` },
    percent(score),
    level === "low" ? null : h("small", {}, level),
  );
}
