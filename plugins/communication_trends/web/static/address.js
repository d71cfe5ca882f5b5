// What is shown, as in the URL.

import { addPeriods, KINDS, lastDate } from "./periods.js";

/** How many periods of each kind are shown unless asked otherwise, and what the buttons offer. */
export const PRESETS = { daily: [7, 30, 90], weekly: [4, 12, 52], monthly: [3, 12, 24] };
const DEFAULT = { daily: 30, weekly: 12, monthly: 12 };
// "days=30", "weeks=12": an address can be read
const COUNTED = { daily: "days", weekly: "weeks", monthly: "months" };
const MOST = 366;
/** What a range can be compared with, besides the one just before. */
export const COMPARED = ["quarter", "year"];

/**
 * Return what a query string asks for; what makes no sense is left at its default.
 *
 * @param {string} search "?organization=acme&days=90"
 */
export function parseView(search) {
  const given = new URLSearchParams(search);
  const whole = (name) => (/^\d{1,6}$/.test(given.get(name) ?? "") ? Number(given.get(name)) : 0);
  const date = (name) => (isDate(given.get(name)) ? given.get(name) : null);
  const period = KINDS.includes(given.get("period")) ? given.get("period") : "daily";
  const [from, to] = [date("from"), date("to")];
  const counted = Math.min(whole(COUNTED[period]), MOST);
  const ranged = !counted && from && to && from <= to;
  return {
    organization: given.get("organization") || null,
    period,
    last: ranged ? null : counted || DEFAULT[period],
    from: ranged ? from : null,
    to: ranged ? to : null,
    offset: whole("offset"),
    sort: given.get("sort") || null,
    order: given.get("order") === "asc" ? "asc" : null,
    topic: given.get("topic"),
    share: given.get("share") === "1",
    mean: given.get("mean") === "7",
    channel: given.get("channel"),
    compare: COMPARED.includes(given.get("compare")) ? given.get("compare") : null,
  };
}

/** Whether a text is the id of an organization: an id, not a slug, which may contain anything. */
export const isId = (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text ?? "");

/** Whether a text is a day of the calendar, not before the API's first. */
export function isDate(text) {
  if (!/^\d{4}-\d\d-\d\d$/.test(text ?? "") || text < "2000-01-01") return false;
  const moment = new Date(`${text}T00:00Z`);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(text);
}

/** Return the query string of a view, without defaults. */
export function formatView(view) {
  const given = new URLSearchParams();
  const set = (name, value) => value !== null && value !== false && given.set(name, value);
  set("organization", view.organization);
  set("period", view.period === "daily" ? null : view.period);
  set(COUNTED[view.period], view.last === DEFAULT[view.period] ? null : view.last);
  set("from", view.from);
  set("to", view.to);
  set("offset", view.offset || null);
  set("sort", view.sort);
  set("order", view.order);
  set("topic", view.topic);
  set("share", view.share && "1");
  set("mean", view.mean && "7");
  set("channel", view.channel);
  set("compare", view.compare);
  return given.size ? `?${given}` : "";
}

/**
 * Return a view changed; what a change makes meaningless goes back to its default.
 *
 * @param {object} view
 * @param {object} changes
 */
export function changed(view, changes) {
  const next = { ...view, offset: 0, ...changes };
  if (next.organization !== view.organization && !("channel" in changes)) next.channel = null;
  if (next.period !== view.period && !("last" in changes)) {
    Object.assign(next, { last: DEFAULT[next.period], from: null, to: null });
  }
  return next;
}

/**
 * Return a first and a last date that mean the periods of a view; the API takes any date for the period that it is in.
 *
 * @param {object} view
 * @param {string} due first date of the last period whose run is due
 */
export function rangeOf({ period, last, from, to }, due) {
  if (!last) return { from, to };
  return { from: addPeriods(period, due, 1 - last), to: lastDate(period, due) };
}
