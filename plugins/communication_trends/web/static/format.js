// Numbers, periods and names as people read them.

import { firstDate } from "./periods.js";

const numbers = new Intl.NumberFormat("en");
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const WEEKDAYS = "Sun Mon Tue Wed Thu Fri Sat".split(" ");

const month = (date) => `${MONTHS[Number(date.slice(5, 7)) - 1]} ${date.slice(0, 4)}`;

/** "1 Nov" */
export const shortDay = (date) => `${Number(date.slice(8))} ${month(date).slice(0, 3)}`;

/** "1 Nov 2026" */
const fullDay = (date) => `${Number(date.slice(8))} ${month(date)}`;

/** "Sun, 1 Nov 2026" */
export const longDay = (date) =>
  `${WEEKDAYS[new Date(`${date}T00:00Z`).getUTCDay()]}, ${fullDay(date)}`;

/** "1 Nov 2026, 18:02 UTC" */
export function moment(milliseconds) {
  const iso = new Date(milliseconds).toISOString();
  return `${fullDay(iso.slice(0, 10))}, ${iso.slice(11, 16)} UTC`;
}

export const NOUNS = { daily: "day", weekly: "week", monthly: "month" };

/** What the trends of an answer are each of: "day" of one organization, "organization-day" of all. */
export const nounOf = ({ organization, period }) =>
  organization ? NOUNS[period] : `organization-${NOUNS[period]}`;

/** A period in a list of its kind: "1 Nov", for a month "Nov 2026". */
export const shortPeriod = (kind, date) => (kind === "monthly" ? month(date) : shortDay(date));

/** A period by itself: "Sun, 1 Nov 2026", "the week of 2 Nov 2026", "Nov 2026". */
export function longPeriod(kind, date) {
  if (kind === "monthly") return month(date);
  return kind === "weekly" ? `the week of ${fullDay(firstDate(kind, date))}` : longDay(date);
}

/** "1 Nov – 3 Nov 2026", or "1 Nov 2026" for a single day. */
export function span({ from, to }) {
  if (from === to) return fullDay(from);
  return `${from.slice(0, 4) === to.slice(0, 4) ? shortDay(from) : fullDay(from)} – ${fullDay(to)}`;
}

/** "a, b and c", at most `limit` of them: "a, b and 3 more". */
export function list(words, limit = 3) {
  const shownWords = words.length > limit + 1 ? words.slice(0, limit) : words;
  const rest = words.length - shownWords.length;
  const all = rest ? [...shownWords, `${shown(rest)} more`] : shownWords;
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}

/** "1,234"; a dash where nothing is known. */
export const shown = (value) =>
  value === null || value === undefined ? "–" : numbers.format(value);

/** "12%" */
export const percent = (value) =>
  value === null || value === undefined ? "–" : `${shown(value)}%`;

/** "Day" of "day". */
export const capitalize = (text) => text.replace(/^./, (letter) => letter.toUpperCase());

/** "1 day", "2 days". */
export const count = (value, noun) => `${shown(value)} ${noun}${value === 1 ? "" : "s"}`;

/** "▲ 2.4%", "▼ 1 point"; null is nothing to compare with. */
export function change(value, unit) {
  if (value === null || value === undefined) return null;
  if (value === 0) return "unchanged";
  const size = Math.abs(value);
  const text = unit === "%" ? `${shown(size)}%` : count(size, "point");
  return `${value > 0 ? "▲" : "▼"} ${text}`;
}

/** The change in percent of a count that is known now and before; what is rounded to nothing is still a change. */
export function changeOfCount(value, now, before) {
  if (now === before) return change(0, "%");
  if (value === 0) return `${now > before ? "▲" : "▼"} less than 0.1%`;
  return change(value, "%");
}

/** A topic, tone or severity as it reads in a sentence. */
export const label = (name) => (name === "" ? "(no name)" : name.replaceAll("_", " "));

/** Topics that can be counted, as the server's own sentences have them: page.js fills it. */
export const PLURALS = {};

/** What messages of some topics are, as in the API's sentences: "complaints or escalations". */
export function anyOf(topics) {
  // a topic may be named "constructor"
  const names = topics.map((topic) =>
    Object.hasOwn(PLURALS, topic) ? PLURALS[topic] : label(topic),
  );
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;
}

/** Text for Plotly, which reads some markup. */
export const escaped = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
