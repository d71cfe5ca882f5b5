// The charts, drawn by Plotly; each with a legend that hides series and a table of the same numbers.

import { byId, h, isDark, themed } from "./dom.js";
import { SEVERITIES, segments, seriesOf, TONES, TOPICS } from "./series.js";
import { count, DAY, escaped, shortDay, shown } from "./words.js";

const CHARTS = [
  {
    id: "topics",
    title: "Topics",
    about: "Messages a day, worst topics at the bottom.",
    known: TOPICS,
    wide: true,
  },
  {
    id: "tones",
    title: "Tone",
    about: "Share of the messages that have a tone.",
    known: TONES,
    percent: true,
  },
  {
    id: "escalations",
    title: "Escalations by severity",
    about: "Alerts a day.",
    known: SEVERITIES,
    bars: true,
  },
];
const CONFIDENCE = {
  id: "confidence",
  title: "Average confidence",
  about: "How sure the classifier was, 0 to 100.",
};
const PERCENT_AXIS = {
  range: [0, 100],
  tickvals: [0, 25, 50, 75, 100],
  ticksuffix: " %",
  tickformat: "",
};

/**
 * Draw all charts.
 *
 * @param {HTMLElement} box that they are in
 * @param {object} trends the API's answer
 * @param {object} options
 * @param {string} options.csv address of the numbers as CSV
 * @param {Set<string>} options.hidden series that the person has hidden: "chart name"
 * @param {function(string)} options.onGap called with the day of a gap that was clicked
 */
export function drawCharts(box, trends, { csv, hidden, onGap }) {
  if (!box.childElementCount) box.append(...[...CHARTS, CONFIDENCE].map(frame));
  for (const link of box.querySelectorAll(".download")) link.href = csv;
  for (const chart of CHARTS) drawSeries(chart, trends, { hidden, onGap });
  drawConfidence(trends, onGap);
}

function frame({ id, title, about, wide }) {
  return h(
    "figure",
    { class: wide ? "panel wide" : "panel", "aria-labelledby": `${id}-title` },
    h(
      "div",
      { class: "panel-head" },
      h("h2", { id: `${id}-title` }, title),
      h("span", { class: "about", id: `${id}-about` }, about),
      h(
        "a",
        { class: "download", href: "#", download: true, "aria-label": `${title} as CSV` },
        "CSV",
      ),
    ),
    h("div", {
      class: "legend",
      id: `${id}-legend`,
      role: "group",
      "aria-label": `${title}: series`,
    }),
    h("div", { class: "plot", id, role: "img" }),
    h(
      "details",
      {},
      h("summary", {}, "Data table"),
      h("div", {
        class: "scroll",
        id: `${id}-table`,
        tabindex: "0",
        role: "region",
        "aria-label": `${title}: data`,
      }),
    ),
  );
}

function drawSeries(chart, trends, options) {
  const { id, known, title } = chart;
  const series = seriesOf(trends.days, id, known, isDark());
  const isHidden = (one) => options.hidden.has(`${id} ${one.name}`);
  const visible = series.filter((one) => !isHidden(one));
  const toggle = (one, index) => {
    const name = `${id} ${one.name}`;
    if (!options.hidden.delete(name)) options.hidden.add(name);
    drawSeries(chart, trends, options);
    byId(`${id}-legend`).querySelectorAll("button")[index]?.focus();
  };
  byId(`${id}-legend`).replaceChildren(
    ...series.map((one, index) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(!isHidden(one)),
          onclick: () => toggle(one, index),
        },
        h("i", { color: one.color }),
        `${one.text} `,
        h("small", {}, shown(one.total)),
      ),
    ),
    ...(trends.totals.missingDays
      ? [h("span", { class: "key" }, h("i", { class: "hatched" }), "no trend")]
      : []),
  );
  const traces = segments(trends.days).flatMap((run, index) =>
    tracesOf(chart, visible, run, index),
  );
  const axis = chart.percent ? PERCENT_AXIS : series.some((one) => one.total) ? {} : EMPTY_AXIS;
  plot(id, [...traces, gapTrace(trends)], trends, axis, options.onGap);
  const sums = series.map((one) => `${one.text} ${shown(one.total)}`).join(", ");
  const gaps = `${count(trends.totals.missingDays, "day")} without a trend.`;
  byId(id).setAttribute(
    "aria-label",
    `${title}, ${shortDay(trends.from)} to ${shortDay(trends.to)}: ${sums || "nothing"}. ${gaps}`,
  );
  drawTable(
    id,
    series.map((one) => one.text),
    trends.days,
    (day) => series.map((one) => one.of(day)),
  );
}

const EMPTY_AXIS = { range: [0, 1], tickvals: [0] };

/** Return the traces of one run of stored days. */
function tracesOf({ bars, percent }, visible, run, index) {
  const wholes = run.map((day) => visible.reduce((sum, one) => sum + one.of(day), 0) || 1);
  return visible.map((one) => {
    const counts = run.map(one.of);
    const trace = {
      name: escaped(one.text),
      meta: one.name,
      x: run.map((day) => day.date),
      customdata: counts,
      y: percent ? counts.map((value, at) => (100 * value) / wholes[at]) : counts,
      hovertemplate: percent ? "%{y:.0f} % (%{customdata:,})" : "%{y:,}",
    };
    // a lone day has no width as an area
    if (bars || run.length === 1) {
      return {
        ...trace,
        type: "bar",
        width: run.map(() => (bars ? 0.72 : 0.3) * DAY),
        marker: { color: one.color, line: { width: 0 } },
      };
    }
    return {
      ...trace,
      type: "scatter",
      mode: "lines",
      stackgroup: `run${index}`,
      line: { width: 0.75, color: themed("--panel"), shape: "linear" },
      fillcolor: one.color,
    };
  });
}

function drawConfidence(trends, onGap) {
  const color = isDark() ? "#6cb2f5" : "#0b5cad";
  const { id } = CONFIDENCE;
  const average = shown(trends.totals.avgConfidence);
  byId(`${id}-legend`).replaceChildren(
    h("span", { class: "key" }, h("i", { color }), `average ${average} %`),
  );
  const line = {
    type: "scatter",
    mode: trends.days.length > 45 ? "lines" : "lines+markers",
    name: CONFIDENCE.title,
    meta: id,
    x: trends.days.map((day) => day.date),
    y: trends.days.map((day) => day.avgConfidence),
    connectgaps: false,
    line: { color, width: 2 },
    marker: { color, size: 5 },
    hovertemplate: "%{y} %",
  };
  plot(id, [line, gapTrace(trends)], trends, PERCENT_AXIS, onGap);
  byId(id).setAttribute("aria-label", `Average confidence: ${average} percent over the range.`);
  drawTable(id, ["Average confidence, %"], trends.days, (day) => [day.avgConfidence]);
}

/** A hatched bar over each day that has no trend. */
function gapTrace(trends) {
  const missing = trends.days.filter((day) => day.missing).map((day) => day.date);
  return {
    type: "bar",
    name: "No trend",
    x: missing,
    y: missing.map(() => 1),
    width: missing.map(() => DAY),
    yaxis: "y2",
    meta: "gap",
    marker: {
      color: "rgba(0,0,0,0)",
      line: { width: 0 },
      pattern: {
        shape: "/",
        size: 6,
        solidity: 0.25,
        fgcolor: themed("--hatch"),
        bgcolor: "rgba(0,0,0,0)",
      },
    },
    hovertemplate: "none stored – click to run",
  };
}

function plot(id, traces, trends, yaxis, onGap) {
  const box = byId(id);
  if (!globalThis.Plotly) {
    const text =
      "Charts need the Python package plotly on Airflow's API server. The data table has the numbers.";
    box.replaceChildren(h("p", { class: "empty" }, text));
    return;
  }
  const fresh = !box.classList.contains("js-plotly-plot");
  globalThis.Plotly.react(box, traces, layout(trends, yaxis), {
    displayModeBar: false,
    responsive: true,
    doubleClick: false,
  });
  if (!fresh) return;
  box.on("plotly_click", ({ points }) => {
    const gap = points.find((point) => point.data.meta === "gap");
    if (gap) onGap(String(gap.x).slice(0, 10));
  });
}

function layout({ from, to }, yaxis) {
  const axis = {
    gridcolor: themed("--grid"),
    linecolor: themed("--line"),
    zeroline: false,
    fixedrange: true,
    automargin: true,
    tickfont: { color: themed("--muted"), size: 11 },
  };
  const edge = (date, hours) => {
    const moment = new Date(Date.parse(date) + hours * 3_600_000);
    return moment.toISOString().slice(0, 16).replace("T", " ");
  };
  return {
    margin: { l: 44, r: 8, t: 9, b: 26 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false,
    barmode: "stack",
    bargap: 0.25,
    hovermode: "x unified",
    dragmode: false,
    font: {
      family: getComputedStyle(document.body).fontFamily,
      color: themed("--text"),
      size: 12,
    },
    hoverlabel: {
      bgcolor: themed("--panel"),
      bordercolor: themed("--line"),
      font: { color: themed("--text"), size: 12 },
    },
    xaxis: {
      ...axis,
      type: "date",
      range: [edge(from, -12), edge(to, 12)],
      showgrid: false,
      tickformat: "%-d %b",
      hoverformat: "%a %-d %b %Y",
      nticks: 8,
      ...(from === to ? { tickvals: [from] } : {}),
    },
    yaxis: { ...axis, rangemode: "tozero", tickformat: "~s", nticks: 5, ...yaxis },
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
  };
}

function drawTable(id, columns, days, cells) {
  const row = (day) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, shortDay(day.date)),
      day.missing
        ? h("td", { class: "number", colspan: columns.length || 1 }, "no trend stored")
        : cells(day).map((value) => h("td", { class: "number" }, shown(value))),
    );
  byId(`${id}-table`).replaceChildren(
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Day"),
          columns.map((text) => h("th", { scope: "col", class: "number" }, text)),
        ),
      ),
      h("tbody", {}, days.toReversed().map(row)),
    ),
  );
}
