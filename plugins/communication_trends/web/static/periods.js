// Days, weeks (from Monday) and months, all UTC; each is named by its first date, as "2026-11-01".

const DAY = 86_400_000;

export const KINDS = ["daily", "weekly", "monthly"];

const midnight = (date) => new Date(`${date}T00:00Z`);

/** Return the UTC day of a moment, in milliseconds. */
export const isoDay = (moment) => new Date(moment).toISOString().slice(0, 10);

/** Return the day that lies some days after another. */
export const addDays = (date, days) => isoDay(midnight(date).getTime() + days * DAY);

/** Return the first date of the period that a day is in. */
export function firstDate(kind, date) {
  if (kind === "monthly") return `${date.slice(0, 8)}01`;
  if (kind === "weekly") return addDays(date, -((midnight(date).getUTCDay() + 6) % 7));
  return date;
}

/** Return the first date of the period some periods later. */
export function addPeriods(kind, date, count) {
  const first = firstDate(kind, date);
  if (kind === "daily") return addDays(first, count);
  if (kind === "weekly") return addDays(first, 7 * count);
  const [year, month] = first.split("-").map(Number);
  return isoDay(Date.UTC(year, month - 1 + count, 1));
}

/** Return the last date of the period that a day is in. */
export const lastDate = (kind, date) => addDays(addPeriods(kind, date, 1), -1);

/**
 * Return the first date of the last period whose run is due.
 *
 * @param {string} kind
 * @param {number} now milliseconds
 * @param {number} delay seconds from the end of a period to its run
 */
export const lastDue = (kind, now, delay) => addPeriods(kind, isoDay(now - 1000 * delay), -1);

/**
 * Return the first and the last date of the latest calendar month or quarter that has ended.
 *
 * @param {"month"|"quarter"} unit
 * @param {string} last the last date that there are trends of
 */
export function calendarRange(unit, last) {
  const months = unit === "quarter" ? 3 : 1;
  const next = addDays(last, 1);
  const inQuarter = unit === "quarter" ? (Number(next.slice(5, 7)) - 1) % 3 : 0;
  const end = addPeriods("monthly", next, -inQuarter);
  return { from: addPeriods("monthly", end, -months), to: addDays(end, -1) };
}

/** Return how long a period is, in milliseconds. */
export const widthOf = (kind, date) => Date.parse(addPeriods(kind, date, 1)) - Date.parse(date);
