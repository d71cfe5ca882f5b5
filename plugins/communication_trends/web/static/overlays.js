// What is drawn over every chart: what is missing or not final, named days, what is unusual; and the keys of it.

import { el, themed } from "./dom.js";
import { list, shortPeriod } from "./format.js";
import { lastDate, widthOf } from "./periods.js";
import { isNotFinal, isPartial } from "./series.js";

const GAPS = new Set(["missing", "unreadable"]);

/** What hatching, dots and triangles mean, where there are any; and where it is not known what is unusual. */
export function gapKeys({ figure }, { trends, marked }) {
  const key = (mark, text) => el("span", { class: "key", "data-key": text }, mark, text);
  const hatched = () => el("i", { class: "hatched" });
  const has = (test) => trends.days.some(test);
  const { findings, from, problem } = marked;
  const since = from > trends.from ? `; judged from ${shortPeriod(trends.period, from)} on` : "";
  return [
    has((day) => day.state === "missing") ? key(hatched(), "no data") : null,
    has((day) => day.state === "unreadable") ? key(hatched(), "cannot be read") : null,
    has(isPartial) ? key(hatched(), "some organizations missing") : null,
    has(isNotFinal) ? key(el("i", { class: "dotted" }), "not final") : null,
    figure && (findings.some((one) => one.figure === figure) || since)
      ? key(el("b", { "aria-hidden": "true" }, "▾"), `unusual${since}`)
      : null,
    trends.marks?.length
      ? key(
          el("b", { class: "mark", "aria-hidden": "true" }, "◆"),
          `named days: ${list(namesOf(trends))}`,
        )
      : null,
    figure && problem ? key(null, `anomalies are not marked: ${problem}`) : null,
  ];
}

/**
 * Hatching over each period that has no data, and along the top where some organizations have none; dots over one that is
 * not final, or along the top where that is so of some organizations.
 */
export function gapTraces(kind, days) {
  const hatch = (name, test, base, height, shape = "/") => {
    const dates = days.filter(test).map((day) => day.date);
    return {
      type: "bar",
      name,
      x: dates,
      y: dates.map(() => height),
      base: dates.map(() => base),
      width: dates.map((date) => widthOf(kind, date)),
      yaxis: "y2",
      meta: name,
      hoverinfo: "none",
      marker: {
        color: "rgba(0,0,0,0)",
        line: { width: 0 },
        pattern: {
          shape,
          size: 6,
          solidity: 0.25,
          fgcolor: themed("--hatch"),
          bgcolor: "rgba(0,0,0,0)",
        },
      },
    };
  };
  return [
    hatch("gap", (day) => GAPS.has(day.state), 0, 1),
    hatch("partial", isPartial, 0.95, 0.05),
    hatch("notFinal", (day) => isNotFinal(day) && !isSomeFinal(day), 0, 1, "."),
    hatch("someNotFinal", (day) => isNotFinal(day) && isSomeFinal(day), 0.9, 0.05, "."),
  ];
}

const isSomeFinal = (day) => day.organizationsNotFinal < day.organizationsStored;

const namesOf = ({ marks }) => [...new Set(marks.map(({ name }) => name))];

/** The named days that lie in a period. */
export const marksOn = ({ marks }, period, date) =>
  (marks ?? []).filter(({ from, to }) => from <= lastDate(period, date) && to >= date);

/** A small diamond above each period with a named day. */
export const marksTrace = (trends, period) =>
  markersTrace(
    "marks",
    trends.days.map(({ date }) => date).filter((date) => marksOn(trends, period, date).length),
    { y: 0.9, symbol: "diamond", size: 8, color: themed("--muted") },
  );

/** A small triangle above each day on which the chart's figure is unusual. */
export const unusualTrace = (figure, findings) =>
  markersTrace(
    "unusual",
    findings.filter((one) => one.figure === figure).map((one) => one.date),
    { y: 0.97, symbol: "triangle-down", size: 9, color: themed("--bad") },
  );

const markersTrace = (name, dates, { y, ...marker }) => ({
  type: "scatter",
  mode: "markers",
  name,
  meta: name,
  x: dates,
  y: dates.map(() => y),
  yaxis: "y2",
  hoverinfo: "none",
  marker,
});
