// Numbers, days and names as people read them. Days are UTC, as "2026-11-01".

export const DAY = 86_400_000;

const numbers = new Intl.NumberFormat("en");
const dayFormat = (parts) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...parts });
const shortDays = dayFormat({ day: "numeric", month: "short" });
const longDays = dayFormat({ weekday: "short", day: "numeric", month: "short", year: "numeric" });

const midnight = (date) => new Date(`${date}T00:00Z`);

/** Return the UTC day of a moment, in milliseconds, as "2026-11-01". */
export const isoDay = (moment) => new Date(moment).toISOString().slice(0, 10);

/** Return the day that lies some days after another. */
export const addDays = (date, days) => isoDay(midnight(date).getTime() + days * DAY);

/** "1 Nov" */
export const shortDay = (date) => shortDays.format(midnight(date));

/** "Sun, 1 Nov 2026" */
export const longDay = (date) => longDays.format(midnight(date));

/** "1 Nov – 3 Nov", or "1 Nov" for a single day. */
export const span = ({ from, to }) =>
  from === to ? shortDay(from) : `${shortDay(from)} – ${shortDay(to)}`;

/** "1,234"; a dash where nothing is known. */
export const shown = (value) =>
  value === null || value === undefined ? "–" : numbers.format(value);

/** "1 day", "2 days". */
export const count = (value, noun) => `${shown(value)} ${noun}${value === 1 ? "" : "s"}`;

/** A topic, tone or severity as it reads in a sentence. */
export const label = (name) => (name === "" ? "(no topic)" : name.replaceAll("_", " "));

/** Text for Plotly, which reads some markup. */
export const escaped = (text) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
