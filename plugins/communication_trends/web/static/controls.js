// What to show: the period, the range, typed or chosen.

import { COMPARED, isDate, PRESETS } from "./address.js";
import { byId, el, update } from "./dom.js";
import { count, NOUNS } from "./format.js";
import { calendarRange, KINDS, lastDate } from "./periods.js";

const NAMES = { daily: "Day", weekly: "Week", monthly: "Month" };

/**
 * Make the controls work.
 *
 * @param {function(object)} navigate changes what is shown
 */
export function makeControls(navigate) {
  byId("periods").append(
    ...KINDS.map((kind) =>
      el(
        "button",
        { type: "button", "data-kind": kind, onclick: () => navigate({ period: kind }) },
        NAMES[kind],
      ),
    ),
  );
  byId("presets").addEventListener("click", ({ target }) => {
    const { last, from, to } = target.dataset;
    if (last) navigate({ last: Number(last), from: null, to: null });
    else if (from) navigate({ last: null, from, to });
  });
  byId("compare").append(
    el("option", { value: "" }, "Range before"),
    ...COMPARED.map((one) => el("option", { value: one }, `A ${one} before`)),
  );
  byId("compare").addEventListener("change", ({ target }) =>
    navigate({ compare: target.value || null }),
  );
  for (const field of [byId("from"), byId("to")]) makeDate(field, () => applyDates(navigate));
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
}

/** A date counts when it is chosen from the calendar, and when typing it is over: on Enter, or on leaving the field. */
function makeDate(field, apply) {
  let typing = false;
  let changed = false;
  field.addEventListener("keydown", (event) => {
    typing = event.key !== "Enter";
    if (event.key === "Enter") apply();
  });
  field.addEventListener("pointerdown", () => {
    typing = false;
  });
  field.addEventListener("input", () => {
    changed = true;
  });
  field.addEventListener("change", () => {
    if (!typing) apply();
  });
  field.addEventListener("blur", () => {
    if (changed && typing) apply();
    typing = false;
    changed = false;
  });
}

function applyDates(navigate) {
  const [first, last] = [byId("from"), byId("to")];
  const problems = problemsOf(first, last);
  showProblems(problems);
  if (Object.keys(problems).length) return;
  if (first.value === first.dataset.shown && last.value === last.dataset.shown) return;
  navigate({ last: null, from: first.value, to: last.value });
}

/** Return what is wrong with the two dates, by field. */
function problemsOf(first, last) {
  const problems = {};
  for (const field of [first, last]) {
    if (field.validity.badInput || !field.value) problems[field.id] = "Incomplete date.";
    else if (!isDate(field.value)) problems[field.id] = "Choose a date from 2000 on.";
    else if (field.value > field.max) problems[field.id] = "This date is in the future.";
  }
  if (!problems.from && !problems.to && first.value > last.value) {
    problems.from = "From is after To.";
  }
  return problems;
}

/** Say what is wrong next to the fields; nothing for an empty object. */
export function showProblems(problems) {
  for (const id of ["from", "to"]) {
    const text = problems[id] ?? "";
    const field = byId(id);
    byId(`${id}-problem`).textContent = text;
    byId(`${id}-problem`).hidden = !text;
    field.setAttribute("aria-invalid", String(Boolean(text)));
  }
}

/**
 * Show in the controls what the page shows.
 *
 * @param {object} view
 * @param {{from: string, to: string}} range
 * @param {string} today
 * @param {string} last the last date that there are trends of
 */
export function showControls(view, range, today, last) {
  byId("compare").value = view.compare ?? "";
  for (const id of ["from", "to"]) {
    const field = byId(id);
    field.max = lastDate(view.period, today);
    field.dataset.shown = range[id];
    // not while a person types into it
    if (document.activeElement !== field || field.getAttribute("aria-invalid") !== "true") {
      field.value = range[id];
    }
  }
  for (const button of byId("periods").children) {
    button.setAttribute("aria-pressed", String(button.dataset.kind === view.period));
  }
  const preset = (text, data, pressed) =>
    el(
      "button",
      { type: "button", "data-key": text, ...data, "aria-pressed": String(pressed) },
      text,
    );
  const calendar = ["month", "quarter"].map((unit) => {
    const { from, to } = calendarRange(unit, last);
    const pressed = view.from === from && view.to === to;
    const data = { "aria-label": `Last ${unit}`, "data-from": from, "data-to": to };
    return preset(unit, data, pressed);
  });
  update(
    byId("presets"),
    PRESETS[view.period].map((last) =>
      preset(count(last, NOUNS[view.period]), { "data-last": last }, view.last === last),
    ),
    calendar,
  );
}
