// The panels that are no charts: what is unusual, the figures, what is missing, the ranking, the hot channels.

import { h } from "./dom.js";
import {
  change,
  count,
  label,
  list,
  longPeriod,
  NOUNS,
  percent,
  shortPeriod,
  shown,
  span,
} from "./words.js";

const SHOWN_GAPS = 8;
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
      onclick: () => show({ organization: organization.slug, ...more }),
    },
    organization.name,
  );

/** Say that one panel could not be filled; the others are as they are. */
export function drawFailure(box, title, problem, retry) {
  box.hidden = false;
  box.replaceChildren(
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
 * @param {object[]} context.marked what is unusual in the whole range, of one organization
 */
export function drawAttention(box, answer, { total, marked, csv, show }) {
  const { findings, totalEntries, from, period } = answer;
  box.hidden = false;
  const every = total !== null;
  const item = (one, when) =>
    h(
      "li",
      { class: one.direction },
      every ? h("strong", {}, organizationLink(one.organization, show)) : null,
      when ? h("strong", {}, shortPeriod(period, one.date)) : null,
      h("span", {}, one.sentence),
    );
  const listed = (list, dated) =>
    h(
      "ul",
      { class: "findings" },
      list.slice(0, SHOWN_FINDINGS).map((one) => item(one, dated)),
    );
  const quiet = (text) => h("p", { class: "quiet" }, text);
  const rest = totalEntries - Math.min(findings.length, SHOWN_FINDINGS);
  const earlier = marked.filter(({ date }) => date !== from);
  const about =
    period === "daily"
      ? "Against the same weekday of each tenant's own eight weeks before."
      : `Against each tenant's own eight ${NOUNS[period]}s before.`;
  box.replaceChildren(
    findings.length
      ? head("attention-title", `Unusual: ${longPeriod(period, from)}`, about, csv)
      : h("h2", { id: "attention-title" }, "Unusual"),
    ...(findings.length ? [listed(findings, false)] : []),
    ...(rest > 0 ? [quiet(`and ${shown(rest)} more: the CSV has them all`)] : []),
    ...attentionNotes(answer, total).map(quiet),
    ...(earlier.length
      ? [h("h3", {}, "Earlier in this range, the most unusual first"), listed(earlier, true)]
      : []),
  );
}

/** Say for whom nothing is unusual, and for whom that cannot be said: silence would look the same. */
export function attentionNotes({ findings, organizationsCompared, from, period }, total) {
  const when = longPeriod(period, from);
  const needed = `at least six of the eight ${period === "daily" ? "same weekdays" : `${NOUNS[period]}s`} before it`;
  if (!organizationsCompared) {
    return [`What is unusual cannot be said for ${when}: it and ${needed} must be stored.`];
  }
  const unknown = total === null ? 0 : total - organizationsCompared;
  const notes = [];
  if (!findings.length) {
    const all = total === null ? "this organization" : "any organization";
    const whom = unknown > 0 ? count(organizationsCompared, "organization") : all;
    notes.push(`Nothing unusual for ${whom}: ${when}.`);
  }
  if (unknown > 0) {
    notes.push(
      `It cannot be said for ${count(unknown, "organization")}: ${when} and ${needed} must be stored.`,
    );
  }
  return notes;
}

/** Draw the four figures of the range, each with the range it is compared with. */
export function drawCards(box, comparison, trends) {
  const { previous, matchedDays, possibleDays, organization, period } = comparison;
  const noun = organization ? NOUNS[period] : `organization-${NOUNS[period]}`;
  const left =
    matchedDays && matchedDays < possibleDays
      ? `Compared over ${count(matchedDays, noun)} of ${shown(possibleDays)}: those stored in both.`
      : null;
  const against = matchedDays
    ? `against ${span(previous)}`
    : `nothing to compare with: no data for ${span(previous)}`;
  const card = (id, name, value, part, unit, worse) => {
    const moved = change(part[unit === "%" ? "changePercent" : "changePoints"], unit);
    const mood = moved
      ? moodOf(part[unit === "%" ? "changePercent" : "changePoints"], worse)
      : "none";
    return h(
      "article",
      { class: "panel card", id },
      h("div", { class: "name" }, name),
      h("div", { class: "value" }, value),
      h("div", { class: `change ${mood}` }, moved ?? "no comparison"),
      h("div", { class: "against" }, against),
    );
  };
  const { totals } = trends;
  const alerts = Object.values(totals.escalations).reduce((sum, value) => sum + value, 0);
  const { totalClassifications, escalations, riskScore, avgConfidence } = comparison;
  box.replaceChildren(
    card(
      "card-messages",
      "Messages",
      shown(totals.totalClassifications),
      totalClassifications,
      "%",
      0,
    ),
    card("card-alerts", "Escalation alerts", shown(alerts), escalations, "%", 1),
    card("card-risk", "Risk", percent(totals.riskScore), riskScore, "points", 1),
    card(
      "card-confidence",
      "Confidence",
      percent(totals.avgConfidence),
      avgConfidence,
      "points",
      -1,
    ),
    ...(left ? [h("p", { class: "left-out" }, left)] : []),
  );
}

function moodOf(value, worse) {
  if (!value || !worse) return "";
  return Math.sign(value) === worse ? "bad" : "good";
}

/** Draw which days of one organization have no data, each with the offer to run the DAG for it. */
export function drawGaps(box, { days, organization, period }, { mayRun, offer }) {
  const gaps = days.filter(({ state }) => state === "missing" || state === "unreadable");
  box.hidden = !gaps.length;
  if (box.hidden) return;
  const unreadable = gaps.filter(({ state }) => state === "unreadable").length;
  const title =
    gaps.length === 1
      ? `No data for ${longPeriod(period, gaps[0].date)}`
      : `No data for ${count(gaps.length, NOUNS[period])}`;
  const chip = ({ date }) =>
    runChip(period, date, mayRun && (() => offer([{ date, organizations: [organization] }])));
  const more = gaps.length - SHOWN_GAPS;
  box.replaceChildren(
    h("h2", { id: "gaps-title" }, h("i", { class: "hatched", "aria-hidden": "true" }), title),
    ...gaps.toReversed().slice(0, SHOWN_GAPS).map(chip),
    ...(more > 0 ? [h("span", { class: "more" }, `and ${more} more`)] : []),
    ...(unreadable
      ? [h("span", { class: "more" }, `${count(unreadable, NOUNS[period])} cannot be read`)]
      : []),
    ...(mayRun && gaps.length > 1
      ? [
          h(
            "button",
            {
              class: "plain",
              type: "button",
              onclick: () =>
                offer(gaps.map(({ date }) => ({ date, organizations: [organization] }))),
            },
            "Run all missing",
          ),
        ]
      : []),
  );
}

function runChip(period, date, run) {
  const text = shortPeriod(period, date);
  if (!run) return h("span", { class: "chip" }, text);
  const about = `Run the DAG for ${longPeriod(period, date)}`;
  return h(
    "button",
    { class: "chip", type: "button", "data-date": date, "aria-label": about, onclick: run },
    `${text} `,
    h("span", { class: "do" }, "Run"),
  );
}

/** Draw how far all organizations are complete, who lacks what, and the offer to run what is missing. */
export function drawFreshness(box, freshness, { mayRun, offer, show }) {
  const { behind, organizationsTotal, organizationsBehind, expectedThrough, period } = freshness;
  box.hidden = !organizationsTotal;
  if (box.hidden) return;
  const through = longPeriod(period, expectedThrough);
  const complete = organizationsTotal - organizationsBehind;
  if (!organizationsBehind) {
    const all = `Complete through ${through} for ${organizationsTotal === 1 ? "the organization" : `all ${shown(organizationsTotal)} organizations`}.`;
    box.replaceChildren(h("p", { class: "quiet", id: "gaps-title" }, all));
    return;
  }
  const lacks = (one) =>
    h(
      "li",
      {},
      organizationLink(one.organization, show),
      ` lacks ${list(one.missingDays.map((date) => shortPeriod(period, date)))}`,
    );
  const rest = organizationsBehind - Math.min(behind.length, SHOWN_GAPS);
  const periods = byPeriod(behind, organizationsBehind);
  box.replaceChildren(
    h(
      "h2",
      { id: "gaps-title" },
      h("i", { class: "hatched", "aria-hidden": "true" }),
      `Complete through ${through} for ${shown(complete)} of ${count(organizationsTotal, "organization")}`,
    ),
    h("ul", { class: "behind" }, behind.slice(0, SHOWN_GAPS).map(lacks)),
    ...(rest > 0 ? [h("span", { class: "more" }, `and ${count(rest, "organization")} more`)] : []),
    ...(mayRun
      ? [
          h(
            "button",
            { class: "plain", type: "button", onclick: () => offer(periods) },
            "Run all missing",
          ),
        ]
      : []),
  );
}

/**
 * Return what has to run: one entry per period, oldest first, with the organizations that lack it.
 *
 * @param {object[]} behind those of the answer
 * @param {number} total how many there are: where the answer has not all of them, all organizations run
 */
export function byPeriod(behind, total) {
  const missing = new Map();
  for (const { organization, missingDays } of behind)
    for (const date of missingDays) missing.set(date, [...(missing.get(date) ?? []), organization]);
  return [...missing]
    .sort(([one], [two]) => (one < two ? -1 : 1))
    .map(([date, some]) => ({ date, organizations: total > behind.length ? null : some }));
}

const headings = (columns) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      columns.map(([text, name]) => h("th", { scope: "col", class: name }, text)),
    ),
  );

/**
 * Say which hotspots of the range were computed with another rule than that of the present settings, or with an unknown
 * one; null where all have the same, and it is the present one or nobody knows.
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

/** Draw the channels that ran hot; with their organizations where the answer is about all. */
export function drawHotspots(box, answer, { every, csv, show }) {
  const { hotspots, totalEntries, period, hotspotRules } = answer;
  const about = "Channels in which complaints and escalations pile up, the riskiest first.";
  const title = head("hotspots-title", "Hot channels", about, csv);
  const note = rulesNote(hotspotRules);
  const notes = note ? [h("p", { class: "quiet" }, note)] : [];
  box.hidden = false;
  if (!hotspots.length) {
    const none = h("p", { class: "empty" }, "No channel ran hot in this range.");
    box.replaceChildren(title, none, ...notes);
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
    const open = () => show({ organization: organization.slug, channel: channelId });
    return h(
      "tr",
      {},
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
  box.replaceChildren(
    title,
    h(
      "div",
      { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "Table of hot channels" },
      h("table", {}, headings(columns), h("tbody", {}, hotspots.map(row))),
    ),
    ...(totalEntries > hotspots.length ? [h("p", { class: "pager" }, rest)] : []),
    ...notes,
  );
}

/** Draw the days on which one channel of the organization ran hot; nothing for null. */
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
      {},
      h("th", { scope: "row" }, longPeriod(period, date)),
      h("td", {}, riskBadge(riskScore)),
      h("td", {}, h("i", { class: "bar", style: `width: ${riskScore}%` })),
      h("td", { class: "number" }, shown(messageCount)),
    );
  const about = hot.length
    ? `Hot on ${count(hot.length, NOUNS[period])} of ${shown(days.length)}. Only hot ${NOUNS[period]}s are stored.`
    : `Not hot in this range. Only hot ${NOUNS[period]}s are stored.`;
  box.replaceChildren(
    head("channel-title", `Channel ${channel || "(empty id)"}`, about, null),
    ...(hot.length
      ? [
          h(
            "div",
            { class: "scroll", tabindex: "0", role: "region", "aria-label": "Hot days" },
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
