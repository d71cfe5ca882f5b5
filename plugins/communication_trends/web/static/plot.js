// Drawing with Plotly: the axes, the day pointed at, the keys.

import { byId, el, themed } from "./dom.js";
import { gapTraces, marksTrace, unusualTrace } from "./overlays.js";
import { widthOf } from "./periods.js";

/**
 * Draw a chart.
 *
 * @param {object} chart which one
 * @param {Context} context of the charts
 * @param {object[]} traces its series, as Plotly has them
 * @param {object} yaxis its axis, as Plotly has it
 * @param {function(number|null): string} sayDay says the values of a day by its index, or the range's for null
 */
export function plot(chart, context, traces, yaxis, sayDay) {
  const { id, title } = chart;
  const { trends, view, marked, onGap } = context;
  const box = byId(id);
  makeReadable(box, title, trends.days, sayDay);
  if (!globalThis.Plotly) {
    const text =
      "Charts need the Python package plotly on Airflow's API server. The data table has the numbers.";
    box.replaceChildren(el("p", { class: "empty" }, text));
    return;
  }
  const all = [
    ...traces,
    ...gapTraces(view.period, trends.days),
    unusualTrace(chart.figure, marked.findings),
    marksTrace(trends, view.period),
  ];
  const fresh = !box.classList.contains("js-plotly-plot");
  globalThis.Plotly.react(box, all, layout(view.period, trends, yaxis), {
    displayModeBar: false,
    responsive: true,
    doubleClick: false,
  });
  // the listeners outlive this drawing
  box.pointed = { sayDay, onGap, dates: trends.days.map((day) => day.date) };
  markDay(box, box.readDay ?? null);
  if (!fresh) return;
  box.on("plotly_hover", ({ points }) => {
    const index = box.pointed.dates.indexOf(String(points[0].x).slice(0, 10));
    if (index >= 0) box.pointed.sayDay(index);
  });
  box.on("plotly_unhover", () => {
    const { dates, sayDay } = box.pointed;
    sayDay(box.readDay ? dates.indexOf(box.readDay) : null);
  });
  box.on("plotly_click", ({ points }) => {
    const gap = points.find((point) => point.data.meta === "gap");
    if (gap) box.pointed.onGap(String(gap.x).slice(0, 10));
  });
}

const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: 7, PageDown: -7, Home: -1e9, End: 1e9 };

/** Let the arrow keys go from day to day; a screen reader says each day's values. Drawn again, it stays at its day. */
function makeReadable(box, title, days, sayDay) {
  const { length } = days;
  box.setAttribute("role", "slider");
  box.setAttribute("aria-label", `${title}, day by day`);
  box.setAttribute("aria-valuemin", "1");
  box.setAttribute("aria-valuemax", String(length));
  const indexOf = (date) => days.findIndex((day) => day.date === date);
  const set = (name, value) => box.getAttribute(name) !== value && box.setAttribute(name, value);
  const say = (date) => {
    const index = indexOf(date);
    box.readDay = index < 0 ? null : date;
    set("aria-valuenow", String(index < 0 ? length : index + 1));
    set("aria-valuetext", sayDay(index < 0 ? null : index));
  };
  say(box.readDay);
  box.onkeydown = (event) => {
    const step = KEYS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = box.readDay === null ? length : indexOf(box.readDay);
    say(days[Math.max(0, Math.min(length - 1, at + step))].date);
    markDay(box, box.readDay);
  };
  box.onblur = () => {
    say(null);
    markDay(box, null);
  };
}

/** Draw the line that marks the day pointed at by key. */
function markDay(box, date) {
  if (!globalThis.Plotly || !box.pointed || (date === null && !box.layout.shapes?.length)) return;
  const line = { color: themed("--muted"), width: 1, dash: "dot" };
  const shape = { type: "line", xref: "x", yref: "paper", x0: date, x1: date, y0: 0, y1: 1, line };
  globalThis.Plotly.relayout(box, { shapes: date ? [shape] : [] });
}

function layout(kind, { from, to, days }, yaxis) {
  const axis = {
    gridcolor: themed("--grid"),
    linecolor: themed("--line"),
    zeroline: false,
    fixedrange: true,
    automargin: true,
    tickfont: { color: themed("--muted"), size: 11 },
  };
  const last = days.at(-1)?.date ?? to;
  const edge = (date, share) => {
    const moment = new Date(Date.parse(date) + share * widthOf(kind, date));
    return moment.toISOString().slice(0, 16).replace("T", " ");
  };
  return {
    margin: { l: 44, r: 8, t: 9, b: 26 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    showlegend: false,
    barmode: "stack",
    bargap: 0.25,
    hovermode: "x",
    dragmode: false,
    font: {
      family: getComputedStyle(document.body).fontFamily,
      color: themed("--text"),
      size: 12,
    },
    xaxis: {
      ...axis,
      type: "date",
      range: [edge(from, -0.5), edge(last, 0.5)],
      showgrid: false,
      showspikes: true,
      spikemode: "across",
      spikesnap: "data",
      spikethickness: 1,
      spikedash: "dot",
      spikecolor: themed("--muted"),
      tickformat: kind === "monthly" ? "%b %Y" : "%-d %b",
      ...(days.length <= 8 ? { tickvals: days.map((day) => day.date) } : { nticks: 8 }),
    },
    yaxis: { ...axis, nticks: 5, ...yaxis },
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
  };
}
