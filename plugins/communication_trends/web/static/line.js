// A chart of one line.

import { PALETTES } from "./colors.js";
import { byId, el, themeName, update } from "./dom.js";
import { count, percent } from "./format.js";
import { gapKeys } from "./overlays.js";
import { plot } from "./plot.js";
import { drawTable, readOut } from "./readout.js";
import { isNotFinal, meanOf, oneDecimal, windowsOf } from "./series.js";

/**
 * Draw one.
 *
 * @param {object} chart of `LINES`
 * @param {Context} context of the charts
 */
export function drawLine(chart, context) {
  const { id } = chart;
  const { trends, before } = context;
  const days = trends.days;
  const color = PALETTES[themeName()][chart.color];
  const windows = windowsOf(days, before);
  const values = windows.map((window) => (window ? chart.value(window, context) : null));
  const known = values.filter((value) => value !== null);
  // what is not final is a point by itself: a line to it would look like a fall
  const trace = (isOpen) => ({
    type: "scatter",
    mode: isOpen ? "markers" : days.length > 45 ? "lines" : "lines+markers",
    name: chart.title,
    meta: id,
    x: days.filter((day) => isOpen === isNotFinal(day)).map((day) => day.date),
    y: values.filter((_, index) => isOpen === isNotFinal(days[index])),
    connectgaps: false,
    line: { color, width: 2 },
    marker: isOpen
      ? { color, size: 9, symbol: "circle-open", line: { width: 2 } }
      : { color, size: 5, symbol: "circle" },
    cliponaxis: false,
    hoverinfo: "none",
  });
  const total = percent(chart.total(trends));
  const name = before ? `${chart.title}, 7-day mean` : chart.title;
  update(
    byId(`${id}-legend`),
    el(
      "span",
      { class: "key", "data-name": id },
      el("i", { color }),
      `${name} `,
      el("small", { "data-total": total }, total),
    ),
    gapKeys(chart, context),
  );
  const range = known.length ? chart.range(known) : [0, 100];
  plot(
    chart,
    context,
    [trace(false), trace(true)],
    { range, ticksuffix: "%", nticks: 6 },
    (index) =>
      readOut(chart, context, index, windows, (window) => ({
        total: count(oneDecimal(meanOf(window, (day) => day.totalClassifications)), "message"),
        values: new Map([[id, percent(oneDecimal(chart.value(window, context)))]]),
      })),
  );
  drawTable(id, [`${chart.title}, %`], trends, (day) => [oneDecimal(chart.value([day], context))]);
}
