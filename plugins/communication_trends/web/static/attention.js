// What is unusual for a tenant, in the words of the API.

import { el, update } from "./dom.js";
import { count, longPeriod, NOUNS, shortPeriod, shown } from "./format.js";
import { head, listed, organizationLink, plainButton, quiet } from "./panels.js";

const SHOWN_FINDINGS = 6;

/**
 * Draw what is unusual for a tenant.
 *
 * @param {HTMLElement} box
 * @param {object} answer of the last period of the range
 * @param {object} context
 * @param {number|null} context.total organizations there are; null where the answer is about one
 * @param {{findings: object[], problem: string|undefined}} context.marked what is unusual in the whole range, of one
 *   organization, or why that is not known
 * @param {function()} context.more asks for the next findings
 */
export function drawAttention(box, answer, { total, marked, csv, navigate, more }) {
  const { findings, totalEntries, from, period } = answer;
  box.hidden = false;
  const every = total !== null;
  const reason = (one, when) =>
    el(
      "li",
      { class: one.direction, "data-key": `${one.organization.id} ${one.date} ${one.figure}` },
      when ? el("strong", {}, shortPeriod(period, one.date)) : null,
      el("span", {}, one.sentence),
    );
  const rest = totalEntries - findings.length;
  const earlier = onceEach([...findings, ...marked.findings])
    .filter(({ date }) => date !== from)
    .toSorted((one, other) => (one.date < other.date) - (one.date > other.date));
  const title = every ? "Who needs a call" : "Unusual";
  update(
    box,
    findings.length
      ? head("attention-title", `${title}: ${longPeriod(period, from)}`, aboutOf(period), csv)
      : el("h2", { id: "attention-title" }, title),
    every
      ? ofAll(answer, navigate)
      : group("own", findingsOf(findings.map((one) => reason(one, false)))),
    rest > 0
      ? plainButton(`Show more: ${count(rest, "finding")} left`, more, { "data-key": "more" })
      : null,
    attentionNotes(answer, total).map(quiet),
    ...(earlier.length
      ? [
          el("h3", {}, "Earlier in this range"),
          group("earlier", findingsOf(earlier.map((one) => reason(one, true)))),
        ]
      : []),
    marked.problem ? quiet(`Earlier in this range: ${marked.problem}`) : null,
  );
}

const aboutOf = (period) =>
  period === "daily"
    ? "Against each tenant's own eight weeks before, weekday by weekday."
    : `Against each tenant's own eight ${NOUNS[period]}s before.`;

const group = (key, ...children) => el("div", { class: "group", "data-key": key }, ...children);

const findingsOf = (items) => listed("findings", items, SHOWN_FINDINGS, shown);

/** The findings by tenant: those with findings of their own first, then what many have in common, then the others. */
function ofAll({ findings, together }, navigate) {
  const tenant = ({ organization, reasons }) =>
    el(
      "li",
      { class: reasons[0].direction, "data-key": organization.id },
      el("strong", {}, organizationLink(organization, navigate)),
      el("span", {}, reasons.map(({ sentence }) => sentence).join(" · ")),
    );
  const { own, others } = ownAndOthers(findings);
  const alike = others.length
    ? el(
        "details",
        {},
        el("summary", {}, othersText(others)),
        el("ul", { class: "findings" }, others.map(tenant)),
      )
    : null;
  return [
    group("own", findingsOf(own.map(tenant))),
    ...together.map(({ sentence }) =>
      el("p", { class: "together", "data-key": sentence }, sentence),
    ),
    group("alike", alike),
  ];
}

/** Return what was found by tenant: those with findings of their own, and those that have only moved with many others. */
export function ownAndOthers(findings) {
  const tenants = byOrganization(findings);
  const isOwn = ({ reasons }) => reasons.some((one) => !one.together);
  return { own: tenants.filter(isOwn), others: tenants.filter((one) => !isOwn(one)) };
}

/** "47 organizations with nothing else unusual" */
export const othersText = (others) =>
  `${count(others.length, "organization")} with nothing else unusual`;

/** Return what was found by organization, in the order of the answer. */
export function byOrganization(findings) {
  const tenants = new Map();
  for (const one of findings) {
    const { organization } = one;
    if (!tenants.has(organization.id)) tenants.set(organization.id, { organization, reasons: [] });
    tenants.get(organization.id).reasons.push(one);
  }
  return [...tenants.values()];
}

/** Leave out of one organization's findings those of a state that a later finding repeats. */
export const onceEach = (findings) =>
  findings.filter(
    (one) =>
      !findings.some(
        (later) =>
          later.date > one.date &&
          later.since <= one.date &&
          later.figure === one.figure &&
          later.direction === one.direction,
      ),
  );

/** Say for whom nothing is unusual, and for whom that cannot be said: silence would look the same. */
export function attentionNotes(answer, total) {
  const { findings, organizationsCompared, from, period } = answer;
  const when = longPeriod(period, from);
  const needed = `at least six of the eight ${period === "daily" ? "same weekdays" : `${NOUNS[period]}s`} before it`;
  if (!organizationsCompared && !findings.length) {
    return [`Not enough history to judge ${when}: it and ${needed} must be stored and final.`];
  }
  const unknown = answer.organizationsNotCompared;
  const notes = [];
  if (!findings.length) {
    const all = total === null ? "this organization" : "any organization";
    const whom = unknown > 0 ? count(organizationsCompared, "organization") : all;
    notes.push(`Nothing unusual for ${whom}: ${when}.`);
  }
  if (unknown > 0) {
    notes.push(
      `${count(unknown, "organization")} ${unknown === 1 ? "does" : "do"} not have enough history; only clear cases are shown: ${when} and ${needed} must be stored and final.`,
    );
  }
  return notes;
}
