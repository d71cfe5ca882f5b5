// What is missing: of one organization, its days; of all, day by day who lacks it; and the offer to run the DAG for it.

import { el, update } from "./dom.js";
import { count, longPeriod, moment, NOUNS, nounOf, shortPeriod, shown, span } from "./format.js";
import { listed, organizationLink, plainButton, quiet } from "./panels.js";
import { lastDate } from "./periods.js";
import { covers } from "./runs.js";
import { isNotFinal } from "./series.js";

const SHOWN_GAPS = 8;

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
  // a running period becomes final by itself
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
    el(
      "h2",
      { id: index ? null : "gaps-title", "data-key": title },
      el("i", { class: "hatched", "aria-hidden": "true" }),
      some.length === 1
        ? `${title} ${longPeriod(period, some[0].date)}`
        : `${title} ${count(some.length, NOUNS[period])}`,
    ),
    ...some.toReversed().slice(0, SHOWN_GAPS).map(chip),
    some.length > SHOWN_GAPS
      ? el("span", { class: "more" }, `and ${some.length - SHOWN_GAPS} more`)
      : null,
  ];
  const all = days.filter(
    (day) => parts.some(([, some]) => some.includes(day)) && helps(period, day),
  );
  update(
    box,
    parts.flatMap(group),
    runAll(all.map(entry), { mayRun, runs, offer }),
    notes.map((note, index) =>
      el("p", { class: "quiet", id: parts.length || index ? null : "gaps-title" }, note),
    ),
  );
}

/** Whether a run could complete a day: not where the source has lost some of its rows. */
export const helps = (period, day) =>
  !isNotFinal(day) || day.computedAt?.slice(0, 10) <= lastDate(period, day.date);

function runChip(period, entry, { mayRun, runs, offer }) {
  const { date } = entry;
  const text = shortPeriod(period, date);
  if (!mayRun) return el("span", { class: "chip", "data-key": date }, text);
  const run = covers(runs, entry);
  const attributes = { class: "chip", type: "button", "data-key": `run ${date}` };
  // still a button: the focus may be on it
  if (run) return el("button", { ...attributes, "aria-disabled": "true" }, `${text} ${run.state}`);
  const long = longPeriod(period, date);
  return el(
    "button",
    { ...attributes, onclick: () => offer([entry]) },
    `${text} `,
    el("span", { class: "do" }, "Run"),
    el("span", { class: "visually-hidden" }, ` the DAG for ${long}`),
  );
}

/** The offer to run whatever is missing and has no run yet, with how many have one. */
function runAll(periods, { mayRun, runs, offer }, least = 2) {
  if (!mayRun) return null;
  const rest = periods.filter((entry) => !covers(runs, entry));
  const under = periods.length - rest.length;
  return [
    under ? el("span", { class: "more" }, `${count(under, "run")} queued or running`) : null,
    rest.length && periods.length >= least
      ? plainButton(under ? "Run all others" : "Run all missing", () => offer(rest), {
          "data-key": "run all",
        })
      : null,
  ].filter(Boolean);
}

/**
 * Draw whether all organizations are complete, day by day who lacks what, and the offer to run what is missing.
 *
 * @param {HTMLElement} box
 * @param {object} freshness
 * @param {object} context
 * @param {object|null} context.latest the DAG's latest run, as Airflow tells it; null where it does not
 */
export function drawFreshness(box, freshness, { mayRun, runs, latest, offer, navigate }) {
  const { behind, organizationsTotal, organizationsBehind, period, ignored } = freshness;
  box.hidden = !organizationsTotal;
  if (box.hidden) return;
  const notes = [
    latestText(latest, freshness),
    beforeText(freshness),
    ignoredText(ignored, period),
  ].filter(Boolean);
  const said = notes.map(quiet);
  if (!organizationsBehind) {
    update(box, el("p", { class: "quiet", id: "gaps-title" }, completeText(freshness)), said);
    return;
  }
  const items = gapsByPeriod(freshness).map(({ date, parts }) =>
    el(
      "li",
      { "data-key": date },
      el("strong", {}, shortPeriod(period, date)),
      ": ",
      parts.flatMap(({ text, organizations, more }, index) => [
        `${index ? "; " : ""}${text}`,
        ...organizations.flatMap((one, at) => [at ? ", " : "", organizationLink(one, navigate)]),
        more ? ` ${organizations.length ? "and " : ""}${more}` : "",
      ]),
    ),
  );
  update(
    box,
    el(
      "h2",
      { id: "gaps-title" },
      el("i", { class: "hatched", "aria-hidden": "true" }),
      completeText(freshness),
    ),
    listed("behind", items, SHOWN_GAPS, (rest) => count(rest, NOUNS[period])),
    runAll(byPeriod(behind, organizationsBehind), { mayRun, runs, offer }, 1),
    said,
  );
}

const NAMED = 3;

/**
 * Return which periods are not complete, newest first, and who lacks each: all, those named, or how many.
 *
 * @param {object} freshness
 * @returns {{date: string, parts: {text: string, organizations: object[], more: string}[]}[]}
 */
export function gapsByPeriod({ incompletePeriods, behind }) {
  const lacking = (name, date) =>
    behind.filter((one) => one[name].includes(date)).map(({ organization }) => organization);
  const part = (text, name, number, { date, expected }) => {
    if (!number) return [];
    if (number === expected && number > NAMED)
      return [{ text, organizations: [], more: `all ${shown(number)}` }];
    const found = lacking(name, date);
    const organizations = found.slice(0, number > NAMED + 1 ? NAMED : NAMED + 1);
    const rest = number - organizations.length;
    const more = organizations.length ? `${shown(rest)} more` : count(rest, "organization");
    return [{ text, organizations, more: rest ? more : "" }];
  };
  return incompletePeriods.map((entry) => ({
    date: entry.date,
    parts: [
      ...part("", "missingDays", entry.missing, entry),
      ...part("cannot be read: ", "unreadableDays", entry.unreadable, entry),
      ...part("not final: ", "notFinalDays", entry.notFinal, entry),
    ],
  }));
}

/** Say for how many organizations the range is complete: nothing is claimed of what lies before the first trend. */
export function completeText({ from, to, organizationsTotal, organizationsBehind, ...more }) {
  const { checkedFrom, completeThrough, fresh } = more;
  if (!organizationsBehind && completeThrough === null && !fresh)
    return `Nothing is stored up to ${span({ from: to, to })}, so gaps are unknown.`;
  const total = count(organizationsTotal, "organization");
  const all = organizationsTotal === 1 ? "the organization" : `all ${total}`;
  const whom = organizationsBehind
    ? `${shown(organizationsTotal - organizationsBehind)} of ${total}`
    : all;
  const isBefore = checkedFrom > from;
  const before = isBefore
    ? `; nothing is stored before ${span({ from: checkedFrom, to: checkedFrom })}`
    : "";
  const checked = { from: isBefore ? checkedFrom : from, to };
  return `${span(checked)}: complete for ${whom}${before}${organizationsBehind ? "" : "."}`;
}

/** Say when the DAG ran last, and for how many organizations the last period is stored. */
export function latestText(latest, { to, checkedFrom, incompletePeriods, period }) {
  if (!latest?.end_date) return null;
  const [newest] = incompletePeriods;
  const isLast = newest && lastDate(period, newest.date) === to;
  const stored = isLast
    ? `${shown(newest.expected - newest.missing - newest.unreadable)} of ${shown(newest.expected)}`
    : "all";
  // of the time before the first trend nothing is known
  const of =
    checkedFrom && checkedFrom <= to ? `; ${stored} stored for ${longPeriod(period, to)}` : "";
  return `Last run ${moment(Date.parse(latest.end_date))} (${latest.state})${of}.`;
}

/** Say what is incomplete before the range: it is not seen in it. */
function beforeText({ incompleteBefore, firstIncomplete, period }) {
  if (!incompleteBefore) return null;
  const what = count(incompleteBefore, nounOf({ period }));
  return `Before this range ${what} ${incompleteBefore === 1 ? "is" : "are"} incomplete, the first: ${longPeriod(period, firstIncomplete)}.`;
}

/** Say which stored rows count for nothing. */
export function ignoredText(ignored, period) {
  const { offGrid = 0, ofNoOrganization = 0, beforeExistence = 0 } = ignored ?? {};
  const part = (number, why) => (number ? [`${count(number, "stored row")} ${why}`] : []);
  const parts = [
    ...part(offGrid, `whose date is not the start of a ${NOUNS[period]}`),
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
