// What is shown, as the address has it. Inside Airflow the address is Airflow's own, so that it can be shared.

import { addDays } from "./words.js";

export const DEFAULT_DAYS = 30;

/**
 * Return what a query string asks for; what makes no sense is left at its default.
 *
 * @param {string} search "?organization=acme&days=90"
 */
export function parseView(search) {
  const given = new URLSearchParams(search);
  const date = (name) => {
    const text = given.get(name) ?? "";
    return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : null;
  };
  const whole = (name) => (/^\d{1,6}$/.test(given.get(name) ?? "") ? Number(given.get(name)) : 0);
  const [from, to] = [date("from"), date("to")];
  return {
    organization: given.get("organization") || null,
    days: whole("days") || (from && to ? null : DEFAULT_DAYS),
    from,
    to,
    offset: whole("offset"),
  };
}

/** Return the query string of a view, without what is as by default. */
export function formatView(view) {
  const given = new URLSearchParams();
  const set = (name, value) => value && given.set(name, value);
  set("organization", view.organization);
  set("days", view.days);
  set("from", view.days ? null : view.from);
  set("to", view.days ? null : view.to);
  set("offset", view.offset);
  return given.size ? `?${given}` : "";
}

/** Return the first and last day of a view; counted ranges end at `lastDay`. */
export function rangeOf(view, lastDay) {
  if (!view.days) return { from: view.from, to: view.to };
  return { from: addDays(lastDay, 1 - view.days), to: lastDay };
}
