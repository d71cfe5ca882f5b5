// What the page says as text, to be copied into a report.

import { attentionNotes, othersText, ownAndOthers } from "./attention.js";
import { changeText, leftOutText, metricsOf, notFinalText, sidesText, writerOf } from "./cards.js";
import { count, longPeriod, moment, NOUNS, shortPeriod, shown, span } from "./format.js";
import { completeText, gapsByPeriod } from "./gaps.js";
import { isNotFinal } from "./series.js";

/**
 * Return the page as text: metrics with both sides, who needs a call, what is missing; and what of it is not known.
 *
 * @param {object} answers those of the page; null for one that is not there
 * @param {number} answers.time when they were asked for
 * @param {string} answers.href the page's address
 */
export function reportText({ trends, comparison, attention, freshness, time, href }) {
  const whom = trends.organization?.name ?? count(trends.organizationsTotal, "organization");
  const parts = [
    [`Communication trends: ${whom}, ${span(trends)}`, `As of ${moment(time)}.`],
    comparison ? metricLines(comparison, trends) : ["The metrics are not known."],
    attention ? attentionLines(attention, trends) : ["What is unusual is not known."],
    trends.organization
      ? storedLines(trends)
      : freshness
        ? gapLines(freshness)
        : ["What is missing is not known."],
  ];
  return [...parts.map((lines) => lines.join("\n")), href].join("\n\n");
}

function metricLines(comparison, { totals, days, period }) {
  const { matchedDays, comparable, previous } = comparison;
  const lines = metricsOf(comparison, totals).map(([, name, known, part]) => {
    const value = writerOf(part)(part.total ?? known);
    if (!matchedDays || part.current === null) return `${name}: ${value}`;
    const moved = comparable ? `${changeText(part)}, ` : "";
    return `${name}: ${value} (${moved}${sidesText(part, comparison)})`;
  });
  const left = leftOutText(comparison);
  const open = days.filter(isNotFinal);
  return [
    ...lines,
    matchedDays
      ? `Compared with ${span(previous)}.`
      : `Nothing to compare with in ${span(previous)}.`,
    ...(left ? [left] : []),
    ...(open.length ? [notFinalText(open, period)] : []),
  ];
}

function attentionLines(answer, { organization, organizationsTotal }) {
  const { findings, totalEntries, together, from, period } = answer;
  const title = organization ? "Unusual" : "Who needs a call";
  const heading = `${title}: ${longPeriod(period, from)}`;
  const rest = totalEntries - findings.length;
  const notes = [
    // those that the page has not asked for yet
    ...(rest > 0 ? [`- and ${count(rest, "more finding")}`] : []),
    ...attentionNotes(answer, organization ? null : organizationsTotal),
  ];
  if (organization) return [heading, ...findings.map(({ sentence }) => `- ${sentence}`), ...notes];
  const { own, others } = ownAndOthers(findings);
  const said = ({ reasons }) => reasons.map(({ sentence }) => sentence).join(" · ");
  return [
    heading,
    ...own.map((one) => `- ${one.organization.name}: ${said(one)}`),
    ...together.map(({ sentence }) => `- ${sentence}`),
    ...(others.length ? [`- ${othersText(others)}`] : []),
    ...notes,
  ];
}

function storedLines({ totals, period }) {
  const { storedDays, expectedDays } = totals;
  return [`${shown(storedDays)} of ${count(expectedDays, NOUNS[period])} stored`];
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
