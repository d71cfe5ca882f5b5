// The organizations, ranked; sorted by any column, with the change next to the value.

import { el, update } from "./dom.js";
import { anyOf, change, changeOfCount, count, NOUNS, percent, shown } from "./format.js";
import { head, organizationLink, plainButton, riskBadge, tableIn } from "./panels.js";

export const PAGE_SIZE = 25;
/** As the API names it. */
export const DEFAULT_SORT = "adjustedRisk";

/** Text, name of the figure that it sorts by, class, and what else to sort by: its change. */
const COLUMNS = [
  ["#", null, "number extra"],
  ["Organization", "name", ""],
  ["Adjusted risk", "adjustedRisk", "number"],
  ["Risk", "riskScore", "", "riskScoreChange"],
  ["", null, "extra"],
  ["Messages", "totalClassifications", "number optional", "totalClassificationsChange"],
  ["Alerts", "escalations", "number", "escalationsChange"],
  ["per 1,000", "escalationsPerThousand", "number extra"],
  ["Hotspots", "hotspotCount", "number extra"],
  ["Confidence", "avgConfidence", "number extra"],
  ["Stored", "daysStored", "number extra"],
];
const ASCENDING = new Set(["name"]);

/** Draw one page of the organizations; nothing for null. */
export function drawRanking(box, overview, { view, csv, trends, navigate }) {
  box.hidden = !overview;
  if (!overview) return;
  const { offset } = view;
  const about =
    "Ranked by adjusted risk: with each alert as one more risky message and 200 messages at the share of all organizations, so that few messages rank none first. ▲▼: change, with the value before in brackets, over what is stored and final in both ranges.";
  const title = head("ranking-title", "Organizations", about, csv);
  if (!overview.totalEntries) {
    update(box, title, el("p", { class: "empty" }, "There are no organizations yet."));
    return;
  }
  if (!overview.organizations.length) {
    const beyond = `There are ${count(overview.totalEntries, "organization")}: none after the first ${shown(offset)}.`;
    const first = plainButton("To the first", () => navigate({ offset: 0 }));
    update(box, title, el("p", { class: "empty" }, beyond), first);
    return;
  }
  const rows = overview.organizations.map((entry) => row(entry, { trends, navigate }));
  update(
    box,
    title,
    tableIn("scroll-x", "Table of organizations", headings(view, navigate), rows),
    overview.totalEntries > PAGE_SIZE ? pager(overview.totalEntries, offset, navigate) : null,
  );
}

function headings(view, navigate) {
  const sort = view.sort ?? DEFAULT_SORT;
  const ascending = view.order ? view.order === "asc" : ASCENDING.has(sort);
  const button = (name, text, about) => {
    const active = sort === name;
    const arrow = active ? (ascending ? " ↑" : " ↓") : "";
    // a second click turns the order round; names begin ascending
    const order = active && !ascending ? "asc" : null;
    const onclick = () => navigate({ sort: name === DEFAULT_SORT ? null : name, order });
    return el(
      "button",
      { type: "button", class: "sort", "data-key": name, "aria-label": about, onclick },
      `${text}${arrow}`,
    );
  };
  const heading = ([given, name, className, changeName]) => {
    const text = given || `Messages per ${NOUNS[view.period]}`;
    const long = text.startsWith("per") ? `Alerts ${text} messages` : null;
    const sorted = [name, changeName].includes(sort) && name !== null;
    return el(
      "th",
      {
        scope: "col",
        class: className,
        "aria-label": long,
        "aria-sort": sorted ? (ascending ? "ascending" : "descending") : null,
      },
      name ? button(name, text, `Sort by ${(long ?? text).toLowerCase()}`) : text,
      changeName ? button(changeName, "▲▼", `Sort by the change of ${text.toLowerCase()}`) : null,
    );
  };
  return el("thead", {}, el("tr", {}, COLUMNS.map(heading)));
}

function row(entry, { trends, navigate }) {
  // nothing stored is nothing known, which is not zero
  const known = (value) => (entry.daysStored ? shown(value) : "–");
  const critical = entry.criticalEscalations
    ? el("span", { class: "critical" }, `${shown(entry.criticalEscalations)} critical`)
    : null;
  return el(
    "tr",
    { "data-key": entry.organization.id },
    cell("number extra", shown(entry.rank)),
    cell("", organizationLink(entry.organization, navigate), unreadable(entry)),
    cell("number", percent(entry.adjustedRisk)),
    cell(
      "",
      riskBadge(entry.riskScore),
      moved(entry, entry.riskScoreChange, "points", 1, [
        entry.matchedRiskScore,
        entry.previousRiskScore,
      ]),
    ),
    cell("extra", spark(entry, trends)),
    cell(
      "number optional",
      known(entry.totalClassifications),
      moved(entry, entry.totalClassificationsChange, "%", 0, [
        entry.matchedClassifications,
        entry.previousClassifications,
      ]),
    ),
    cell(
      "number",
      known(entry.escalations),
      moved(
        entry,
        entry.escalationsChange,
        "%",
        1,
        [entry.matchedEscalations, entry.previousEscalations],
        critical,
      ),
    ),
    cell("number extra", shown(entry.escalationsPerThousand)),
    cell("number extra", known(entry.hotspotCount)),
    cell("number extra", percent(entry.avgConfidence)),
    storedCell(entry),
  );
}

const cell = (name, ...children) => el("td", { class: name }, ...children);

/** How a figure has changed, colored by whether that is for the worse. */
function moved(entry, value, unit, worse, sides, more = null) {
  const mood = !value || !worse ? "" : Math.sign(value) === worse ? " bad" : " good";
  const shade = entry.comparable ? mood : "";
  return el("small", { class: `moved${shade}` }, movedText(entry, value, unit, sides), more);
}

/** How many periods are stored, and what of them is not compared or not final. */
function storedCell({ daysStored, missingDays, unreadableDays, matchedDays, notFinalDays }) {
  const note = (days, text) => el("small", { class: "compared" }, `${shown(days)} ${text}`);
  return cell(
    missingDays ? "number extra lacking" : "number extra",
    `${shown(daysStored)}/${shown(daysStored + missingDays + unreadableDays)}`,
    matchedDays < daysStored ? note(matchedDays, "compared") : null,
    notFinalDays ? note(notFinalDays, "not final") : null,
  );
}

/**
 * Say how a figure has changed, and from what; no comparison is not "unchanged", and of too few days there is no arrow.
 *
 * @param {{daysStored: number, comparable: boolean}} entry
 * @param {number|null} value the change
 * @param {"%"|"points"} unit
 * @param {(number|null)[]} compared the figure over what is stored and final in both ranges, now and before
 */
export function movedText({ daysStored, comparable }, value, unit, [now, before] = []) {
  if (before === null || before === undefined || now === null) return daysStored ? "–" : "";
  const from = `(${unit === "%" ? shown(before) : percent(before)})`;
  if (!comparable) return from;
  if (unit === "%") {
    if (now === before) return "±0";
    return `${changeOfCount(value, now, before) ?? "▲"} ${from}`;
  }
  if (value === 0) return "±0";
  return value === null ? from : `${change(value, unit).replace(/ points?$/, "")} ${from}`;
}

const unreadable = (entry) =>
  entry.unreadable ? el("small", { class: "problem" }, " some of it cannot be read") : null;

const SPARK = { width: 180, height: 30, top: 28 };

/** Messages a day as small bars, the risky ones marked; those of days that are not final are hollow. */
function spark(entry, { riskyTopics, days }) {
  const { dailyClassifications: total, dailyRiskyClassifications: risky } = entry;
  const isOpen = (index) => entry.notFinalDates.includes(days[index].date);
  const known = total.filter((value) => value !== null);
  const largest = Math.max(0, ...known);
  const most = Math.max(1, largest);
  const step = SPARK.width / total.length;
  const bar = (name, index, height) =>
    el("rect", {
      class: name,
      x: index * step,
      width: Math.max(step * 0.82, 0.6),
      y: SPARK.height - height,
      height,
    });
  const size = (value) => (value / most) * SPARK.top;
  const bars = total.flatMap((value, index) =>
    value === null
      ? [bar("none", index, 1.5)]
      : [
          bar(isOpen(index) ? "all open" : "all", index, size(value)),
          bar("risky", index, size(risky[index])),
        ],
  );
  const about = known.length
    ? `Messages, those of ${anyOf(riskyTopics)} marked: at most ${shown(largest)} at a time`
    : "Nothing is stored";
  return el(
    "svg",
    {
      class: "spark",
      viewBox: `0 0 ${SPARK.width} ${SPARK.height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": about,
    },
    ...bars,
  );
}

function pager(total, offset, navigate) {
  const last = Math.min(offset + PAGE_SIZE, total);
  const turn = (text, to, possible) =>
    plainButton(text, () => navigate({ offset: to }), { disabled: !possible });
  return el(
    "div",
    { class: "pager" },
    `${shown(offset + 1)}–${shown(last)} of ${shown(total)}`,
    turn("Previous", Math.max(0, offset - PAGE_SIZE), offset > 0),
    turn("Next", offset + PAGE_SIZE, last < total),
  );
}
