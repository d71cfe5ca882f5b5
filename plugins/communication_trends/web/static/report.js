// What the page says as text, to be copied into a report.

import { changeText, figuresOf, leftOutText, sidesText, writerOf } from "./cards.js";
import { completeText, gapsByPeriod } from "./gaps.js";
import { attentionNotes, byOrganization } from "./panels.js";
import { count, longPeriod, shortPeriod, span } from "./words.js";

/**
 * Return the page as text: figures with both sides, who needs a call, what is missing.
 *
 * @param {object} answers those of the page; null for one that is not there
 * @param {string} answers.href the page's address
 */
export function reportText({ trends, comparison, attention, freshness, href }) {
  const whom = trends.organization?.name ?? count(trends.organizationsTotal, "organization");
  const parts = [[`Communication trends: ${whom}, ${span(trends)}`]];
  if (comparison) parts.push(figureLines(comparison, trends.totals));
  if (attention) parts.push(attentionLines(attention, trends));
  if (freshness) parts.push(gapLines(freshness));
  return [...parts.map((lines) => lines.join("\n")), href].join("\n\n");
}

function figureLines(comparison, totals) {
  const { matchedDays, comparable, previous } = comparison;
  const lines = figuresOf(comparison, totals).map(([, name, known, part]) => {
    const value = writerOf(part)(part.total ?? known);
    if (!matchedDays || part.current === null) return `${name}: ${value}`;
    const moved = comparable ? `${changeText(part)}, ` : "";
    return `${name}: ${value} (${moved}${sidesText(part, comparison)})`;
  });
  const left = leftOutText(comparison);
  return [...lines, `Compared with ${span(previous)}.`, ...(left ? [left] : [])];
}

function attentionLines(answer, { organization, organizationsTotal }) {
  const { findings, together, from, period } = answer;
  const lines = byOrganization(findings).map(
    (one) =>
      `- ${organization ? "" : `${one.organization.name}: `}${one.reasons.map(({ sentence }) => sentence).join(" · ")}`,
  );
  const title = organization ? "Unusual" : "Who needs a call";
  const notes = attentionNotes(answer, organization ? null : organizationsTotal);
  const alike = organization ? [] : together.map(({ sentence }) => `- ${sentence}`);
  return [`${title}: ${longPeriod(period, from)}`, ...lines, ...alike, ...notes];
}

function gapLines(freshness) {
  const gaps = gapsByPeriod(freshness).map(({ date, parts }) => {
    const who = parts.map(({ text, organizations, more }) => {
      const names = organizations.map(({ name }) => name).join(", ");
      return `${text}${[names, more].filter(Boolean).join(" and ")}`;
    });
    return `- ${shortPeriod(freshness.period, date)}: ${who.join("; ")}`;
  });
  return [completeText(freshness), ...gaps];
}
