// A chart of series on top of each other, as areas or bars, and its legend.

import { byId, el, themed, themeName, update } from "./dom.js";
import { count, escaped, percent, shown } from "./format.js";
import { gapKeys } from "./overlays.js";
import { widthOf } from "./periods.js";
import { plot } from "./plot.js";
import { drawTable, readOut } from "./readout.js";
import {
  meanOf,
  oneDecimal,
  REST_NAME,
  segments,
  seriesOf,
  shareOf,
  WHOLE,
  windowsOf,
} from "./series.js";

/** Messages a period below which areas would draw a slope between single messages: they are bars. */
const FEW = 20;
const areFew = ({ totals }) => totals.totalClassifications < FEW * totals.storedDays;

/**
 * Draw one.
 *
 * @param {object} chart of `STACKS`
 * @param {Context} context of the charts
 */
export function drawStack(chart, context) {
  const { id } = chart;
  const { trends, view, hidden, opened } = context;
  const every = seriesOf(trends.totals, id, { theme: themeName(), all: true });
  const one = id === "topics" && view.topic !== null;
  const series = one
    ? every.filter(({ name }) => name === view.topic)
    : seriesOf(trends.totals, id, { theme: themeName(), all: opened.has(id) });
  const visible = series.filter(({ name }) => !hidden.has(`${id} ${name}`));
  const windows = windowsOf(trends.days, id === "topics" ? context.before : null);
  const isShare = chart.isShare(context);
  // of all there is: hiding a series makes no other one's share larger
  const whole = (window) => meanOf(window, WHOLE[id]);
  const value = (single, window) =>
    isShare ? (shareOf(window, single.of, WHOLE[id]) ?? 0) : meanOf(window, single.of);
  const traces = segments(windows).flatMap((run, at) =>
    visible.map((single) => {
      const dates = run.map((index) => trends.days[index].date);
      const values = run.map((index) => value(single, windows[index]));
      const counts = run.map((index) => single.of(trends.days[index]));
      const bars = chart.bars || areFew(trends);
      return traceOf(bars, view.period, single, { dates, values, counts, at });
    }),
  );
  drawLegend(chart, context, series, { opens: every.length > series.length && !one });
  plot(chart, context, traces, one && isShare ? SHARE_OF_ONE : axisOf(isShare, traces), (index) =>
    readOut(chart, context, index, windows, (window) => {
      const total = oneDecimal(whole(window));
      const said = (single) =>
        isShare
          ? percent(Math.round(value(single, window)))
          : shown(oneDecimal(value(single, window)));
      return {
        total:
          chart.units && total !== 1 ? `${shown(total)} ${chart.units}` : count(total, chart.unit),
        values: new Map(visible.map((single) => [single.name, said(single)])),
      };
    }),
  );
  // nothing counted in a stored day is zero
  const columns = every.length ? every : [{ text: plural(chart), of: () => 0 }];
  drawTable(
    id,
    columns.map(({ text }) => text),
    trends,
    (day) => columns.map((single) => single.of(day)),
  );
}

const plural = ({ unit, units }) => units ?? `${unit}s`;

const SHARE_OF_ONE = { rangemode: "tozero", ticksuffix: "%" };

function axisOf(isWhole, traces) {
  // not as tickvals: Plotly gives those no suffix
  if (isWhole) return { range: [0, 100], tick0: 0, dtick: 25, ticksuffix: "%" };
  const tops = new Map();
  for (const { x, y } of traces)
    x.forEach((date, at) => {
      tops.set(date, (tops.get(date) ?? 0) + (y[at] ?? 0));
    });
  const most = Math.max(0, ...tops.values());
  if (!most) return { range: [0, 1], tickvals: [0] };
  // whole messages: no half of one on the axis
  if (most < 5) return { range: [0, most + 0.4], dtick: 1, tickformat: "d" };
  return { rangemode: "tozero", tickformat: most < 10_000 ? ",d" : "~s" };
}

/** Return the trace of one series over one run of days; what it was counted from is in `customdata`. */
function traceOf(bars, kind, single, { dates, values, counts, at }) {
  const trace = {
    name: escaped(single.text),
    meta: single.name,
    x: dates,
    y: values,
    customdata: counts,
    hoverinfo: "none",
  };
  // a lone day has no width as an area
  if (bars || dates.length === 1) {
    return {
      ...trace,
      type: "bar",
      width: dates.map((date) => (bars ? 0.72 : 0.4) * widthOf(kind, date)),
      marker: { color: single.color, line: { width: 0 } },
    };
  }
  return {
    ...trace,
    type: "scatter",
    mode: "lines",
    stackgroup: `run${at}`,
    line: { width: 1, color: themed("--panel"), shape: "linear" },
    fillcolor: single.color,
  };
}

function drawLegend(chart, context, series, { opens }) {
  const { id } = chart;
  const { hidden, opened } = context;
  const box = byId(`${id}-legend`);
  const flip = (set, entry, next = null) => {
    if (!set.delete(entry)) set.add(entry);
    drawStack(chart, context);
    // one button takes the other's place
    if (next) [...box.querySelectorAll("button")].find((one) => one.dataset.name === next)?.focus();
  };
  const key = (one) => {
    const entry = `${id} ${one.name}`;
    const onclick =
      one.name === REST_NAME ? () => flip(opened, id, "\u0000fewer") : () => flip(hidden, entry);
    const pressed = one.name === REST_NAME ? null : String(!hidden.has(entry));
    return el(
      "button",
      {
        type: "button",
        "aria-pressed": pressed,
        "data-key": `=${one.name}`,
        "data-name": one.name,
        onclick,
      },
      el("i", { color: one.color }),
      `${one.text} `,
      el("small", { "data-total": shown(one.total) }, shown(one.total)),
      one.name === REST_NAME ? el("span", { class: "do" }, "show") : null,
    );
  };
  const fewer =
    !opens && opened.has(id)
      ? el(
          "button",
          {
            type: "button",
            "data-key": "\u0000fewer",
            "data-name": "\u0000fewer",
            onclick: () => flip(opened, id, REST_NAME),
          },
          el("span", { class: "do" }, "show fewer"),
        )
      : null;
  const none =
    !series.length && context.trends.totals.storedDays
      ? el("span", { class: "key", "data-key": "none" }, `${plural(chart)} `, el("small", {}, "0"))
      : null;
  update(box, series.map(key), none, fewer, gapKeys(chart, context));
}
