// From an answer's days to the lines of a chart: which series there are, in which order and color.

import { PALETTES, REST } from "./colors.js";
import { label } from "./format.js";

const MOST_DRAWN = 12;
const MEAN_DAYS = 7;

export const REST_NAME = "\u0000rest";

const sum = (values) => values.reduce((total, value) => total + value, 0);

// a topic may be named "constructor": only a day's own keys count
const countOf = (day, field, name) => (Object.hasOwn(day[field], name) ? day[field][name] : 0);

export const isStored = (day) => day.state === "stored";

/** Whether a period of these numbers is still running, or was computed before it ended. */
export const isNotFinal = (day) =>
  isStored(day) && (day.isFinal === false || day.organizationsNotFinal > 0);

/** Whether some organizations lack the day, of those stored. */
export const isPartial = (day) =>
  isStored(day) && (day.organizationsMissing > 0 || day.organizationsUnreadable > 0);

/**
 * Return for each day the days that its numbers are of; null where nothing can be said.
 *
 * Without a mean that is the stored day itself; with one, itself and the six before it, where all of them are whole: a week
 * without its Sunday has another mean.
 *
 * @param {object[]} days of the answer
 * @param {object[]|null} before the six days before them; null for no mean
 */
export function windowsOf(days, before) {
  if (!before) return days.map((day) => (isStored(day) ? [day] : null));
  const all = [...before, ...days];
  return days.map((_, index) => {
    const end = index + before.length + 1;
    const week = all.slice(Math.max(0, end - MEAN_DAYS), end);
    return week.length === MEAN_DAYS && week.every(({ whole }) => whole) ? week : null;
  });
}

/**
 * Return the stretches of indexes at which there is something to draw. An area ends at a gap, and where a day is not final:
 * a running day must not look like a fall.
 */
export function segments(windows) {
  const stretches = [];
  const isOpen = (window) => window.some(isNotFinal);
  windows.forEach((window, index) => {
    if (!window) return;
    const last = index ? windows[index - 1] : null;
    if (last && !isOpen(last) && !isOpen(window)) stretches.at(-1).push(index);
    else stretches.push([index]);
  });
  return stretches;
}

/** Return the mean over a window of what a function says of a day. */
export const meanOf = (window, of) => sum(window.map(of)) / window.length;

/**
 * Return a quotient of sums over a window in percent, not rounded; null if the denominator is 0. Divided once, so that
 * exact halves round up.
 */
export function shareOf(window, above, below) {
  const all = sum(window.map(below));
  return all ? (100 * sum(window.map(above))) / all : null;
}

/** What the shares of a distribution are of: all of it, hidden series included. */
export const WHOLE = {
  topics: (day) => day.totalClassifications,
  tones: (day) => day.messagesWithTone,
  escalations: (day) => day.escalationsTotal,
};

/**
 * Return the series of a distribution: name, text, color, total, and `of(day)`, its count of a day.
 *
 * Names that have a color of their own come first, worst first; the others by size. What does not fit is one series
 * more, unless all are asked for.
 *
 * @param {object} sums the answer's totals
 * @param {string} field the distribution: "topics", "tones" or "escalations"
 * @param {{theme: string, all: boolean}} options
 */
export function seriesOf(sums, field, { theme, all }) {
  const palette = PALETTES[theme];
  const totals = new Map(Object.entries(sums[field] ?? {}));
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
export const riskOf = (window) =>
  shareOf(
    window,
    (day) => day.riskyClassifications,
    (day) => day.totalClassifications,
  );

/** Return the mean confidence of some days, of the messages that have one; null where none has. */
export function confidenceOf(window) {
  const percents = shareOf(
    window,
    (day) => day.confidenceSum,
    (day) => day.classificationsWithConfidence,
  );
  return percents === null ? null : percents / 100;
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

/** Return a number with one decimal; null for null. */
export const oneDecimal = (value) => (value === null ? null : Math.round(10 * value) / 10);
