// The four metrics of the range, each with both sides of its change.

import { el, update } from "./dom.js";
import {
  capitalize,
  change,
  changeOfCount,
  count,
  list,
  longPeriod,
  NOUNS,
  nounOf,
  percent,
  shortPeriod,
  shown,
  span,
} from "./format.js";
import { csvLink } from "./panels.js";
import { isNotFinal } from "./series.js";

/** The four metrics: id, name, value in the trends' totals, part of the comparison, and which direction is worse. */
export const metricsOf = (comparison, totals) => [
  ["messages", "Messages", totals.totalClassifications, comparison.totalClassifications, 0],
  ["alerts", "Escalation alerts", totals.escalationsTotal, comparison.escalations, 1],
  ["risk", "Risk", totals.riskScore, comparison.riskScore, 1],
  ["confidence", "Confidence", totals.avgConfidence, comparison.avgConfidence, -1],
];

/**
 * Draw the four metrics of the range, each with the range it is compared with.
 *
 * @param {HTMLElement} box
 * @param {object} comparison
 * @param {object} trends
 * @param {{csv: string, copy: function()}} tools address of the metrics as CSV; copies the page as text
 */
export function drawCards(box, comparison, { totals, days }, { csv, copy }) {
  const { matchedDays, comparable, period } = comparison;
  const cards = metricsOf(comparison, totals);
  const open = days.filter(isNotFinal);
  const left = leftOutText(comparison);
  const card = ([id, name, known, part, worse]) => {
    // of the same moment as what it is compared with
    const value = part.total ?? known;
    const moved = "changePercent" in part ? part.changePercent : part.changePoints;
    return el(
      "article",
      { class: "panel card", id: `card-${id}` },
      el("div", { class: "name" }, name),
      el("div", { class: "value" }, writerOf(part)(value)),
      // a change over few days says nothing about the range
      comparable || !matchedDays
        ? el(
            "div",
            { class: `change ${moved === null ? "none" : moodOf(moved, worse)}` },
            changeText(part),
          )
        : null,
      matchedDays && part.current !== null
        ? el("div", { class: "compared" }, sidesText(part, comparison))
        : null,
      el("div", { class: "against" }, againstText(comparison)),
    );
  };
  const note = (text) => el("p", { class: "left-out" }, text);
  update(
    box,
    cards.map(card),
    el(
      "div",
      { class: "foot", "data-key": "foot" },
      el(
        "div",
        {},
        left ? note(left) : null,
        open.length ? note(notFinalText(open, period)) : null,
      ),
      el(
        "div",
        { class: "report" },
        csvLink("Metrics", csv),
        el("button", { class: "download", type: "button", onclick: copy }, "Copy as text"),
        // the frame that Airflow puts the page in allows no printing
        globalThis.parent === globalThis
          ? el("button", { class: "download", type: "button", onclick: () => print() }, "Print")
          : null,
      ),
    ),
  );
}

export const writerOf = (part) => ("changePercent" in part ? shown : percent);

/** Say both sides of a change, and over how much: "21% compared with 8%, over 27 of 90 days". */
export function sidesText(part, comparison) {
  const write = writerOf(part);
  return `${write(part.current)} compared with ${write(part.previous)}${overText(comparison)}`;
}

/** Say over how much a comparison is; nothing where it is over all of the range. */
export const overText = ({ matchedDays, possibleDays, ...of }) =>
  matchedDays < possibleDays
    ? `, over ${shown(matchedDays)} of ${count(possibleDays, nounOf(of))}`
    : "";

/** Say how a figure has changed. Nothing to compare with is not "unchanged", and an unknown one is not 0. */
export function changeText(part) {
  if ("changePoints" in part) return change(part.changePoints, "points") ?? "no comparison";
  if (part.changePercent === null && part.previous !== 0) return "no comparison";
  return changeOfCount(part.changePercent, part.current, part.previous) ?? "▲ from 0";
}

function againstText({ matchedDays, previous, period }) {
  if (matchedDays) return `vs. ${span(previous)}`;
  return `nothing to compare: no final ${NOUNS[period]} is stored both here and in ${span(previous)}`;
}

/** Say of how much the change is; of too little, that none is shown. */
export function leftOutText(comparison) {
  const { matchedDays, possibleDays, comparable } = comparison;
  if (!matchedDays || matchedDays >= possibleDays) return null;
  const over = `Compared over ${shown(matchedDays)} of ${count(possibleDays, nounOf(comparison))} (those stored and final in both ranges)`;
  return comparable ? `${over}.` : `${over}: too few to say how the range has changed.`;
}

/** Say which numbers may still grow, and that no comparison has them. */
export function notFinalText(open, period) {
  const one = open.length === 1;
  const which = one
    ? capitalize(longPeriod(period, open[0].date))
    : list(open.map(({ date }) => shortPeriod(period, date)));
  const [is, it] = one ? ["is", "it"] : ["are", "they"];
  return `${which} ${is} not final: included above, where ${it} may be too low, and left out of the comparison.`;
}

function moodOf(value, worse) {
  if (!value || !worse) return "";
  return Math.sign(value) === worse ? "bad" : "good";
}
