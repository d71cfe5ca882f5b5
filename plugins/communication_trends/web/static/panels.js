// What panels are made of: titles, links, headings, badges, and why one has no answer.

import { h, update } from "./dom.js";
import { percent } from "./words.js";

/** A panel's title, what it is about, and its numbers as CSV. */
export const head = (id, title, about, csv) =>
  h(
    "div",
    { class: "panel-head" },
    h("h2", { id }, title),
    csv
      ? h(
          "a",
          { class: "download", href: csv, download: true, "aria-label": `${title} as CSV` },
          "CSV",
        )
      : null,
    about ? h("span", { class: "about" }, about) : null,
  );

export const organizationLink = (organization, show, more = {}) =>
  h(
    "button",
    {
      class: "link wrap",
      type: "button",
      onclick: () => show({ organization: organization.id, ...more }, organization),
    },
    organization.name,
  );

/** Say that one panel could not be filled; the others are as they are. */
export function drawFailure(box, title, problem, retry) {
  box.hidden = false;
  update(
    box,
    h("h2", { id: `${box.id}-title` }, title),
    h("p", { class: "problem" }, problem.message),
    h("button", { class: "plain", type: "button", onclick: retry }, "Try again"),
  );
}

export const headings = (columns) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      columns.map(([text, name]) =>
        text ? h("th", { scope: "col", class: name }, text) : h("td", { class: name }),
      ),
    ),
  );

/** A table with a name, which scrolls by itself where it is too large. */
export const tableIn = (scroll, name, head, rows) =>
  h(
    "div",
    { class: scroll, tabindex: "0", role: "region", "aria-label": name },
    h("table", {}, head, h("tbody", {}, rows)),
  );

const LEVELS = [
  [60, "high"],
  [40, "elevated"],
  [20, "some"],
  [0, "low"],
];

/** A share of risky messages, colored by how much it is. */
export function riskBadge(score) {
  if (score === null) return h("span", { class: "risk low" }, "–");
  const [, level] = LEVELS.find(([from]) => score >= from);
  return h(
    "span",
    { class: `risk ${level}` },
    percent(score),
    level === "low" ? null : h("small", {}, level),
  );
}
