// What a chart says of a day: next to its legend, to a screen reader, and in its table.

import { byId, el, update } from "./dom.js";
import {
  capitalize,
  count,
  longPeriod,
  moment,
  NOUNS,
  shortPeriod,
  shown,
  span,
} from "./format.js";
import { marksOn } from "./overlays.js";
import { isNotFinal, isPartial } from "./series.js";

/** What a day without data is, in words. */
const STATES = {
  missing: "no data",
  unreadable: "cannot be read",
  notDue: "not due yet",
  notCreated: "did not exist yet",
};

/** Say the values of a day in the legend, or the range's for null. Returns what was said. */
export function readOut({ id, title }, context, index, windows, read) {
  const readout = byId(`${id}-readout`);
  const smalls = byId(`${id}-legend`).querySelectorAll("[data-name] small");
  if (index === null) {
    readout.textContent = span(context.trends);
    for (const small of smalls) small.textContent = small.dataset.total;
    return `${title}, ${span(context.trends)}`;
  }
  const window = windows[index];
  const { total, values } = window ? read(window) : { total: null, values: new Map() };
  readout.textContent = aboutDay(context, index, total);
  const said = [];
  for (const small of smalls) {
    const key = small.closest("[data-name]");
    const value = values.get(key.dataset.name) ?? "–";
    small.textContent = value;
    if (values.has(key.dataset.name)) said.push(`${key.childNodes[1].textContent.trim()} ${value}`);
  }
  return [readout.textContent, ...said].join(", ");
}

/** "Sun, 1 Nov 2026: 12 messages · 2 organizations missing · 58 alerts; usually 2 to 6" */
function aboutDay({ trends, view, marked, before }, index, total) {
  const day = trends.days[index];
  const none = "no 7-day mean: not all of the seven days are stored, complete and final";
  const what = total === null ? (STATES[day.state] ?? none) : total;
  const mean = total !== null && before ? "7-day mean " : "";
  const more = [
    ...marksOn(trends, view.period, day.date).map(({ name }) => name),
    ...lacksOf(day),
    ...marked.findings.filter((one) => one.date === day.date).map((one) => one.sentence),
  ];
  return [`${longPeriod(view.period, day.date)}: ${mean}${what}`, ...more].join(" · ");
}

/** What a stored day lacks, in words. */
function lacksOf(day) {
  const of = (number, what) => (number > 0 ? [`${count(number, "organization")} ${what}`] : []);
  const since = day.computedAt ? `: as of ${moment(Date.parse(day.computedAt))}` : "";
  return [
    ...of(isPartial(day) ? day.organizationsMissing : 0, "missing"),
    ...of(isPartial(day) ? day.organizationsUnreadable : 0, "that cannot be read"),
    ...of(isNotFinal(day) ? day.organizationsNotFinal : 0, "not final"),
    ...(isNotFinal(day) && day.isFinal === false ? [`not final${since}`] : []),
  ];
}

/**
 * Draw the table of a chart: a row per day, newest first.
 *
 * @param {string} id the chart's
 * @param {string[]} columns headings
 * @param {object} trends the API's answer
 * @param {function(object): number[]} cells returns a stored day's values
 */
export function drawTable(id, columns, { days, period }, cells) {
  const lacks = (day) => {
    const found = day.state === "stored" ? lacksOf(day) : [];
    return found.length ? el("small", {}, ` ${found.join(", ")}`) : null;
  };
  const row = (day) =>
    el(
      "tr",
      { "data-key": day.date },
      el("th", { scope: "row" }, shortPeriod(period, day.date), lacks(day)),
      day.state === "stored"
        ? cells(day).map((value) => el("td", { class: "number" }, shown(value)))
        : el("td", { class: "number", colspan: columns.length || 1 }, STATES[day.state]),
    );
  const heading = el(
    "tr",
    {},
    el("th", { scope: "col" }, capitalize(NOUNS[period])),
    columns.map((text) => el("th", { scope: "col", class: "number" }, text)),
  );
  update(
    byId(`${id}-table`),
    el("table", {}, el("thead", {}, heading), el("tbody", {}, days.toReversed().map(row))),
  );
}
