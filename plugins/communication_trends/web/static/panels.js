// What panels are made of: titles, links, buttons, lists, headings, badges, and why one has no answer.

import { el, update } from "./dom.js";
import { percent } from "./format.js";

/** A panel's title, what it is about, and its numbers as CSV. */
export const head = (id, title, about, csv) =>
  el(
    "div",
    { class: "panel-head" },
    el("h2", { id }, title),
    csv ? csvLink(title, csv) : null,
    about ? el("span", { class: "about" }, about) : null,
  );

export const csvLink = (title, href) =>
  el("a", { class: "download", href, download: true, "aria-label": `${title} as CSV` }, "CSV");

export const plainButton = (text, onclick, more = {}) =>
  el("button", { class: "plain", type: "button", ...more, onclick }, text);

export const quiet = (children) => el("p", { class: "quiet" }, children);

/** The first entries of a list; the others are there to be opened. */
export const listed = (name, items, most, noun) => [
  items.length ? el("ul", { class: name, "data-key": "first" }, items.slice(0, most)) : null,
  items.length > most
    ? el(
        "details",
        { "data-key": "rest" },
        el("summary", {}, `and ${noun(items.length - most)} more`),
        el("ul", { class: name }, items.slice(most)),
      )
    : null,
];

export const linkButton = (text, onclick) =>
  el("button", { class: "link wrap", type: "button", onclick }, text);

export const organizationLink = (organization, navigate) =>
  linkButton(organization.name, () => navigate({ organization: organization.id }, organization));

/** Say that one panel could not be filled; the others are as they are. */
export function drawFailure(box, title, problem, retry) {
  box.hidden = false;
  update(
    box,
    el("h2", { id: `${box.id}-title` }, title),
    el("p", { class: "problem" }, problem.message),
    plainButton("Try again", retry),
  );
}

export const headings = (columns) =>
  el(
    "thead",
    {},
    el(
      "tr",
      {},
      columns.map(([text, name]) =>
        text ? el("th", { scope: "col", class: name }, text) : el("td", { class: name }),
      ),
    ),
  );

/** A table with a name, which scrolls by itself where it is too large. */
export const tableIn = (scroll, name, head, rows) =>
  el(
    "div",
    { class: scroll, tabindex: "0", role: "region", "aria-label": name },
    el("table", {}, head, el("tbody", {}, rows)),
  );

const LEVELS = [
  [60, "high"],
  [40, "elevated"],
  [20, "some"],
  [0, "low"],
];

/** A share of risky messages, colored by how much it is. */
export function riskBadge(score) {
  if (score === null) return el("span", { class: "risk low" }, "–");
  const [, level] = LEVELS.find(([from]) => score >= from);
  return el(
    "span",
    { class: `risk ${level}` },
    percent(score),
    level === "low" ? null : el("small", {}, level),
  );
}
