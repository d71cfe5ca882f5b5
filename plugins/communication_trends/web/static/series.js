// From an answer's days to the lines of a chart: which series there are, in which order and color.

import { label } from "./words.js";

const MAX_SERIES = 12;

// Worst first. Okabe and Ito's colors: told apart with any color vision.
export const TOPICS = [
  ["escalation", "#d55e00"],
  ["complaint", "#e69f00"],
  ["technical", "#0072b2"],
  ["request", "#56b4e9"],
  ["status_update", "#009e73"],
  ["scheduling", "#cc79a7"],
  ["general", "#9aa3b2"],
];
export const TONES = [
  ["angry", "#d55e00"],
  ["frustrated", "#e69f00"],
  ["tense", "#f0d774"],
  ["neutral", "#b4bcc9"],
  ["positive", "#4a9bd1"],
];
export const SEVERITIES = [
  ["critical", "#a32900"],
  ["high", "#ee8137"],
  ["medium", "#f6c58f"],
];
const DARK = {
  "#b4bcc9": "#6d788a",
  "#9aa3b2": "#768294",
  "#a32900": "#e0521a",
  "#ee8137": "#f29b5c",
  "#f6c58f": "#8f6a45",
};
const OTHERS = ["#7a6fb0", "#8c6d46", "#5f8f8b", "#b0718f", "#6b7d3a"];

// a topic may be named "constructor": only a day's own keys count
const countOf = (day, field, name) => (Object.hasOwn(day[field], name) ? day[field][name] : 0);

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** Return the runs of days that are stored, so that an area ends at a gap instead of crossing it. */
export function segments(days) {
  const runs = [];
  days.forEach((day, index) => {
    if (day.missing) return;
    if (index && !days[index - 1].missing) runs.at(-1).push(day);
    else runs.push([day]);
  });
  return runs;
}

/**
 * Return the series of a distribution: name, text, color, total, and `of(day)`, its count of a day.
 *
 * @param {object[]} days of the answer
 * @param {string} field the distribution: "topics", "tones" or "escalations"
 * @param {Array[]} known names and colors that have a place of their own; the others follow by size
 * @param {boolean} dark whether the colors are for the dark theme
 */
export function seriesOf(days, field, known, dark) {
  const stored = days.filter((day) => !day.missing);
  const totals = new Map();
  for (const day of stored)
    for (const [name, value] of Object.entries(day[field]))
      totals.set(name, (totals.get(name) ?? 0) + value);
  const places = new Set(known.map(([name]) => name));
  const others = [...totals.keys()]
    .filter((name) => !places.has(name))
    .sort((one, two) => totals.get(two) - totals.get(one) || (one < two ? -1 : 1));
  const drawn = others.slice(0, MAX_SERIES - known.length);
  const rest = others.slice(MAX_SERIES - known.length);
  const one = (name, color) => ({
    name,
    text: label(name),
    color: (dark && DARK[color]) || color,
    total: totals.get(name),
    of: (day) => countOf(day, field, name),
  });
  const series = [
    ...known.filter(([name]) => totals.has(name)).map(([name, color]) => one(name, color)),
    ...drawn.map((name, index) => one(name, OTHERS[index % OTHERS.length])),
  ];
  if (rest.length) {
    series.push({
      name: "\u0000rest",
      text: `${rest.length} more`,
      color: "#888888",
      total: sum(rest.map((name) => totals.get(name))),
      of: (day) => sum(rest.map((name) => countOf(day, field, name))),
    });
  }
  return series;
}
