// From an answer's days to the lines of a chart: which series there are, in which order and color.

import { PALETTES, REST } from "./colors.js";
import { label } from "./words.js";

const MOST_DRAWN = 12;
const MEAN_DAYS = 7;
const LEAST_OF_MEAN = 4;

export const REST_NAME = "\u0000rest";

const sum = (values) => values.reduce((total, value) => total + value, 0);

// a topic may be named "constructor": only a day's own keys count
const countOf = (day, field, name) => (Object.hasOwn(day[field], name) ? day[field][name] : 0);

const isStored = (day) => day.state === "stored";

/**
 * Return for each day the days that its figures are of; null where nothing can be said.
 *
 * Without a mean that is the stored day itself; with one, itself and the six before it as far as they are stored, and
 * nothing where those are fewer than four.
 *
 * @param {object[]} days of the answer
 * @param {object[]|null} before the six days before them; null for no mean
 */
export function windowsOf(days, before) {
  if (!before) return days.map((day) => (isStored(day) ? [day] : null));
  const all = [...before, ...days];
  return days.map((day, index) => {
    if (!isStored(day)) return null;
    const end = index + before.length + 1;
    const known = all.slice(Math.max(0, end - MEAN_DAYS), end).filter(isStored);
    return known.length < LEAST_OF_MEAN ? null : known;
  });
}

/** Return the runs of indexes at which there is something to draw, so that an area ends at a gap. */
export function segments(windows) {
  const runs = [];
  windows.forEach((window, index) => {
    if (!window) return;
    if (index && windows[index - 1]) runs.at(-1).push(index);
    else runs.push([index]);
  });
  return runs;
}

/** Return the mean over a window of what a function says of a day. */
export const meanOf = (window, of) => sum(window.map(of)) / window.length;

/**
 * Return the series of a distribution: name, text, color, total, and `of(day)`, its count of a day.
 *
 * Names that have a color of their own come first, worst first; the others by size. What does not fit is one series
 * more, unless all are asked for.
 *
 * @param {object[]} days of the answer
 * @param {string} field the distribution: "topics", "tones" or "escalations"
 * @param {{theme: string, all: boolean}} options
 */
export function seriesOf(days, field, { theme, all }) {
  const palette = PALETTES[theme];
  const totals = new Map();
  for (const day of days.filter(isStored))
    for (const [name, value] of Object.entries(day[field]))
      totals.set(name, (totals.get(name) ?? 0) + value);
  const known = Object.keys(palette[field]).filter((name) => totals.has(name));
  const others = [...totals.keys()]
    .filter((name) => !Object.hasOwn(palette[field], name))
    .sort((one, two) => totals.get(two) - totals.get(one) || (one < two ? -1 : 1));
  const room = all || known.length + others.length <= MOST_DRAWN ? Infinity : MOST_DRAWN - 1;
  const drawn = others.slice(0, Math.max(0, room - known.length));
  const rest = others.slice(drawn.length);
  const one = (name, color) => ({
    name,
    text: label(name),
    color,
    total: totals.get(name),
    of: (day) => countOf(day, field, name),
  });
  const series = [
    ...known.map((name) => one(name, palette[field][name])),
    ...drawn.map((name, index) => one(name, palette.others[index % palette.others.length])),
  ];
  if (rest.length) {
    series.push({
      name: REST_NAME,
      text: `${rest.length} more`,
      color: REST,
      total: sum(rest.map((name) => totals.get(name))),
      of: (day) => sum(rest.map((name) => countOf(day, field, name))),
    });
  }
  return series;
}

/** Return the share of risky messages of some days in percent, not rounded; null where there are no messages. */
export function riskOf(window, riskyTopics) {
  const risky = sum(
    window.flatMap((day) => riskyTopics.map((name) => countOf(day, "topics", name))),
  );
  const all = sum(window.map((day) => day.totalClassifications));
  return all ? (100 * risky) / all : null;
}

/** Return the mean confidence of some days, weighted by their messages; null where none has any. */
export function confidenceOf(window) {
  const known = window.filter((day) => day.avgConfidence !== null);
  const weights = sum(known.map((day) => day.totalClassifications));
  if (!weights) return known[0]?.avgConfidence ?? null;
  return sum(known.map((day) => day.avgConfidence * day.totalClassifications)) / weights;
}

/**
 * Return the ends of an axis that shows a line of percents with some room, never narrower than ten points.
 *
 * @param {(number|null)[]} values
 */
export function percentRange(values) {
  const known = values.filter((value) => value !== null);
  if (!known.length) return [0, 100];
  const low = Math.floor((Math.min(...known) - 2) / 5) * 5;
  const high = Math.ceil((Math.max(...known) + 2) / 5) * 5;
  const missing = Math.max(0, 10 - (high - low)) / 2;
  const from = Math.max(0, Math.min(90, low - missing));
  return [from, Math.min(100, Math.max(high + missing, from + 10))];
}
