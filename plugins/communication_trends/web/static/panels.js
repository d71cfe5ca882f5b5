// The panels that are no charts: what is unusual, the figures, what is missing, the ranking, the hot channels.

import { h, update } from "./dom.js";
import { lastDate } from "./periods.js";
import { covers } from "./runs.js";
import { isNotFinal, isStored } from "./series.js";
import {
  anyOf,
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
 */
export function drawAttention(box, answer, { total, marked, csv, show }) {
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
  update(
    box,
    findings.length
      ? head("attention-title", `Unusual: ${longPeriod(period, from)}`, about, csv)
      : h("h2", { id: "attention-title" }, "Unusual"),
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
    rest > 0 ? quiet(`and ${shown(rest)} more: the CSV has them all`) : null,
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

/** Draw the four figures of the range, each with the range it is compared with. */
export function drawCards(box, comparison, { totals, days }) {
  const { matchedDays, period } = comparison;
  const cards = [
    ["messages", "Messages", totals.totalClassifications, comparison.totalClassifications, 0],
    ["alerts", "Escalation alerts", totals.escalationsTotal, comparison.escalations, 1],
    ["risk", "Risk", totals.riskScore, comparison.riskScore, 1],
    ["confidence", "Confidence", totals.avgConfidence, comparison.avgConfidence, -1],
  ];
  const open = days.filter(isNotFinal);
  const left = leftOutText(comparison);
  const card = ([id, name, known, part, worse]) => {
    // of the same moment as what it is compared with
    const value = part.total ?? known;
    const isCount = "changePercent" in part;
    const moved = isCount ? part.changePercent : part.changePoints;
    const write = isCount ? shown : percent;
    return h(
      "article",
      { class: "panel card", id: `card-${id}` },
      h("div", { class: "name" }, name),
      h("div", { class: "value" }, write(value)),
      h(
        "div",
        { class: `change ${moved === null ? "none" : moodOf(moved, worse)}` },
        changeText(part),
      ),
      h("div", { class: "against" }, againstText(comparison)),
      // where the number above is not the one that is compared
      matchedDays && part.current !== null && part.current !== value
        ? h(
            "div",
            { class: "compared" },
            `compared: ${write(part.current)} with ${write(part.previous)}`,
          )
        : null,
    );
  };
  const note = (text) => h("p", { class: "left-out" }, text);
  update(
    box,
    cards.map(card),
    left ? note(left) : null,
    open.length ? note(notFinalText(open, period)) : null,
  );
}

/** Say how a figure has changed. Nothing to compare with is not "unchanged", and an unknown one is not 0. */
export function changeText(part) {
  if ("changePoints" in part) return change(part.changePoints, "points") ?? "no comparison";
  if (part.changePercent !== null) return change(part.changePercent, "%");
  if (part.previous !== 0) return "no comparison";
  return part.current > 0 ? "▲ from 0" : change(0, "%");
}

function againstText({ matchedDays, previous, period }) {
  if (matchedDays) return `vs. ${span(previous)}`;
  return `nothing to compare: no final ${NOUNS[period]} is stored both here and in ${span(previous)}`;
}

function leftOutText({ matchedDays, possibleDays, organization, period }) {
  const noun = organization ? NOUNS[period] : `organization-${NOUNS[period]}`;
  if (!matchedDays || matchedDays >= possibleDays) return null;
  return `Compared over ${shown(matchedDays)} of ${count(possibleDays, noun)} (those stored in both ranges).`;
}

/** Say which numbers may still grow, and that they are compared with nothing. */
function notFinalText(open, period) {
  const one = open.length === 1;
  const which = one
    ? longPeriod(period, open[0].date).replace(/^./, (letter) => letter.toUpperCase())
    : list(open.map(({ date }) => shortPeriod(period, date)));
  const [is, it] = one ? ["is", "it counts"] : ["are", "they count"];
  return `${which} ${is} not final: ${it} in the numbers above, which may be too low, and ${is} compared with nothing.`;
}

function moodOf(value, worse) {
  if (!value || !worse) return "";
  return Math.sign(value) === worse ? "bad" : "good";
}

/**
 * Draw which days of one organization have no data, and which were computed before they were over, each with the offer to
 * run the DAG for it.
 *
 * @param {HTMLElement} box
 * @param {object} trends
 * @param {object} context
 * @param {object[]} context.runs those that have not ended
 * @param {string} context.today UTC
 */
export function drawGaps(box, trends, { mayRun, runs, today, offer }) {
  const { days, organization, period, ignored } = trends;
  const missing = days.filter(({ state }) => state === "missing");
  const unreadable = days.filter(({ state }) => state === "unreadable");
  // one that goes on becomes final by itself
  const open = days.filter((day) => isNotFinal(day) && lastDate(period, day.date) < today);
  const parts = [
    ["No data for", missing],
    ["Cannot be read:", unreadable],
    ["Not final:", open],
  ].filter(([, some]) => some.length);
  const isLost = mayRun && open.some((day) => !helps(period, day));
  const notes = [
    isLost ? "Where no run is offered, the source may have lost rows: a run would not help." : null,
    ignoredText(ignored, period),
  ].filter(Boolean);
  box.hidden = !parts.length && !notes.length;
  if (box.hidden) return;
  const entry = ({ date }) => ({ date, organizations: [organization] });
  const chip = (day) =>
    runChip(period, entry(day), { mayRun: mayRun && helps(period, day), runs, offer });
  const group = ([title, some], index) => [
    h(
      "h2",
      { id: index ? null : "gaps-title", "data-key": title },
      h("i", { class: "hatched", "aria-hidden": "true" }),
      some.length === 1
        ? `${title} ${longPeriod(period, some[0].date)}`
        : `${title} ${count(some.length, NOUNS[period])}`,
    ),
    ...some.toReversed().slice(0, SHOWN_GAPS).map(chip),
    some.length > SHOWN_GAPS
      ? h("span", { class: "more" }, `and ${some.length - SHOWN_GAPS} more`)
      : null,
  ];
  const all = days.filter(
    (day) => parts.some(([, some]) => some.includes(day)) && helps(period, day),
  );
  update(
    box,
    parts.flatMap(group),
    runAll(all.map(entry), { mayRun, runs, offer }),
    notes.map((note) => h("p", { class: "quiet" }, note)),
  );
}

/** Whether a run could complete a day: not where the source has lost some of its rows. */
export const helps = (period, day) =>
  !isNotFinal(day) || day.computedAt?.slice(0, 10) <= lastDate(period, day.date);

function runChip(period, entry, { mayRun, runs, offer }) {
  const { date } = entry;
  const text = shortPeriod(period, date);
  if (!mayRun) return h("span", { class: "chip", "data-key": date }, text);
  const run = covers(runs, entry);
  const attributes = { class: "chip", type: "button", "data-key": `run ${date}` };
  // still a button: whoever has just pressed it is still there
  if (run) return h("button", { ...attributes, "aria-disabled": "true" }, `${text} ${run.state}`);
  const long = longPeriod(period, date);
  return h(
    "button",
    { ...attributes, onclick: () => offer([entry]) },
    `${text} `,
    h("span", { class: "do" }, "Run"),
    h("span", { class: "visually-hidden" }, ` the DAG for ${long}`),
  );
}

/** The offer to run whatever is missing and has no run yet; what has one is said. */
function runAll(periods, { mayRun, runs, offer }, least = 2) {
  if (!mayRun) return null;
  const rest = periods.filter((entry) => !covers(runs, entry));
  const under = periods.length - rest.length;
  return [
    under ? h("span", { class: "more" }, `${count(under, "run")} queued or running`) : null,
    rest.length && periods.length >= least
      ? h(
          "button",
          { class: "plain", type: "button", "data-key": "run all", onclick: () => offer(rest) },
          under ? "Run all others" : "Run all missing",
        )
      : null,
  ].filter(Boolean);
}

/** Draw whether all organizations are complete, who lacks what, and the offer to run what is missing. */
export function drawFreshness(box, freshness, { mayRun, runs, offer, show }) {
  const { behind, organizationsTotal, organizationsBehind, period, ignored } = freshness;
  box.hidden = !organizationsTotal;
  if (box.hidden) return;
  const note = ignoredText(ignored, period);
  const notes = [beforeText(freshness), note].filter(Boolean);
  const quiet = notes.map((text) => h("p", { class: "quiet" }, text));
  if (!organizationsBehind) {
    update(box, h("p", { class: "quiet", id: "gaps-title" }, completeText(freshness)), quiet);
    return;
  }
  const dates = (some) => list([...some].sort().map((date) => shortPeriod(period, date)));
  const part = (verb, some) => (some?.length ? [`${verb} ${dates(some)}`] : []);
  const lacks = (one) =>
    h(
      "li",
      { "data-key": one.organization.id },
      organizationLink(one.organization, show),
      ` ${[
        ...part("is missing", one.missingDays),
        ...part("cannot be read:", one.unreadableDays),
        ...part("not final:", one.notFinalDays),
      ].join("; ")}`,
    );
  const rest = organizationsBehind - Math.min(behind.length, SHOWN_GAPS);
  const periods = byPeriod(behind, organizationsBehind);
  update(
    box,
    h(
      "h2",
      { id: "gaps-title" },
      h("i", { class: "hatched", "aria-hidden": "true" }),
      completeText(freshness),
    ),
    h("ul", { class: "behind" }, behind.slice(0, SHOWN_GAPS).map(lacks)),
    rest > 0 ? h("span", { class: "more" }, `and ${count(rest, "organization")} more`) : null,
    runAll(periods, { mayRun, runs, offer }, 1),
    quiet,
  );
}

/**
 * Say for how many organizations the range is complete: nothing is claimed of what lies before it, nor of what lies
 * before the first trend that is stored.
 */
export function completeText({ from, to, organizationsTotal, organizationsBehind, ...more }) {
  if (!organizationsBehind && more.completeThrough === null && !more.fresh)
    return `Nothing is stored up to ${span({ from: to, to })}: what is missing cannot be said.`;
  const total = count(organizationsTotal, "organization");
  const all = organizationsTotal === 1 ? "the organization" : `all ${total}`;
  const whom = organizationsBehind
    ? `${shown(organizationsTotal - organizationsBehind)} of ${total}`
    : all;
  const isYoung = more.checkedFrom > from;
  const known = isYoung ? { from: more.checkedFrom, to } : { from, to };
  const before = isYoung ? "; nothing is stored before" : "";
  return `${span(known)}: complete for ${whom}${before}${organizationsBehind ? "" : "."}`;
}

/** Say what is incomplete before the range: it is not seen in it. */
function beforeText({ incompleteBefore, firstIncomplete, period }) {
  if (!incompleteBefore) return null;
  const what = count(incompleteBefore, `organization-${NOUNS[period]}`);
  return `Before this range ${what} ${incompleteBefore === 1 ? "is" : "are"} incomplete, the first: ${longPeriod(period, firstIncomplete)}.`;
}

/** Say which stored rows count for nothing. */
export function ignoredText(ignored, period) {
  const { offGrid = 0, ofNoOrganization = 0, beforeExistence = 0 } = ignored ?? {};
  const part = (number, why) => (number ? [`${count(number, "stored row")} ${why}`] : []);
  const parts = [
    ...part(offGrid, `whose date begins no ${NOUNS[period]}`),
    ...part(ofNoOrganization, "of an organization that does not exist"),
    ...part(beforeExistence, "from before the organization existed"),
  ];
  return parts.length ? `Ignored: ${parts.join(", ")}.` : null;
}

/**
 * Return what has to run: one entry per period, oldest first, with the organizations that lack it.
 *
 * @param {object[]} behind those of the answer
 * @param {number} total how many there are: where the answer has not all of them, all organizations run
 */
export function byPeriod(behind, total) {
  const missing = new Map();
  for (const { organization, missingDays, unreadableDays } of behind)
    for (const date of [...missingDays, ...unreadableDays])
      missing.set(date, [...(missing.get(date) ?? []), organization]);
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
      columns.map(([text, name]) =>
        text ? h("th", { scope: "col", class: name }, text) : h("td", { class: name }),
      ),
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
export function hotOf({ totals, organization, period }) {
  const { organizationDaysStored: stored, organizationDaysExpected: expected } = totals;
  if (stored >= expected) return null;
  const noun = organization ? NOUNS[period] : `organization-${NOUNS[period]}`;
  return `${shown(stored)} of ${count(expected, noun)} ${expected === 1 ? "is" : "are"} stored`;
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
