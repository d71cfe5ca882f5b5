// The charts, drawn by Plotly. Each has a legend that hides series and says the values of the day pointed at, by mouse
// or by the arrow keys, so that nothing covers the data; and a table of the same numbers.

import { PALETTES } from "./colors.js";
import { byId, h, themed, themeName, update } from "./dom.js";
import { addPeriods, lastDate } from "./periods.js";
import { downloadPicture } from "./picture.js";
import {
  confidenceOf,
  isNotFinal,
  isPartial,
  meanOf,
  percentRange,
  REST_NAME,
  riskOf,
  segments,
  seriesOf,
  shareOf,
  WHOLE,
  windowsOf,
} from "./series.js";
import {
  anyOf,
  count,
  escaped,
  longPeriod,
  moment,
  NOUNS,
  percent,
  shortPeriod,
  shown,
  span,
} from "./words.js";

/** What a day without figures is, in words. */
const STATES = {
  missing: "no data",
  unreadable: "cannot be read",
  notDue: "not due yet",
  notCreated: "did not exist yet",
};
const GAPS = new Set(["missing", "unreadable"]);

/**
 * @typedef {object} Context what every chart is drawn with
 * @property {object} trends the API's answer
 * @property {object} view what is shown
 * @property {object[]|null} before the days before, where means over seven days are asked for
 * @property {{findings: object[], from: string|undefined, problem: string|undefined}} marked what is unusual, of these days
 * @property {string} csv address of the numbers as CSV
 * @property {string[]} riskyTopics
 * @property {Set<string>} hidden series that the person has hidden
 * @property {Set<string>} opened charts of which the person wants to see all series
 * @property {function(object)} show changes what is shown
 * @property {function(string)} onGap called with the day of a gap that was clicked
 */

/** Messages a period below which areas would draw a slope between single messages: they are bars. */
const FEW = 20;
const areFew = ({ totals }) => totals.totalClassifications < FEW * totals.storedDays;

const STACKS = [
  {
    id: "topics",
    title: "Topics",
    wide: true,
    about: ({ view }) =>
      view.share
        ? "Share of each topic among the messages, worst at the bottom."
        : `Messages per ${NOUNS[view.period]}, worst topics at the bottom.`,
    isShare: ({ view }) => view.share,
    unit: "message",
    figure: "totalClassifications",
  },
  {
    id: "tones",
    title: "Tone",
    about: () => "Share among the messages that have a tone.",
    isShare: () => true,
    unit: "message with a tone",
    units: "messages with a tone",
    figure: "negativeTones",
  },
  {
    id: "escalations",
    title: "Escalation alerts",
    about: ({ view }) =>
      `Alerts raised per ${NOUNS[view.period]}, by severity. Not the topic “escalation”.`,
    isShare: () => false,
    bars: true,
    unit: "alert",
    figure: "escalations",
  },
];
const LINES = [
  {
    id: "risk",
    title: "Risk",
    about: ({ riskyTopics }) => `Share of the messages that are ${anyOf(riskyTopics)}.`,
    value: riskOf,
    total: ({ totals }) => totals.riskScore,
    color: "risk",
    range: (values) => [0, Math.max(5, Math.ceil((Math.max(...values) * 1.15) / 5) * 5)],
    figure: "riskScore",
  },
  {
    id: "confidence",
    title: "Confidence",
    about: () => "How sure the classifier was, on average.",
    value: confidenceOf,
    total: ({ totals }) => totals.avgConfidence,
    color: "line",
    range: percentRange,
  },
];
const ORDER = ["topics", "risk", "escalations", "tones", "confidence"];

/**
 * Draw all charts.
 *
 * @param {HTMLElement} box that they are in
 * @param {Context} context
 */
export function drawCharts(box, context) {
  const charts = [...STACKS, ...LINES];
  if (!box.childElementCount) {
    box.append(...ORDER.map((id) => frame(charts.find((chart) => chart.id === id))));
  }
  for (const link of box.querySelectorAll("a.download")) link.href = context.csv;
  const whom = context.trends.organization?.name ?? "All organizations";
  for (const { id, title } of charts) {
    const button = byId(id).closest("figure").querySelector(".picture");
    button.disabled = !globalThis.Plotly;
    button.onclick = () => downloadPicture(id, `${title}: ${whom}, ${span(context.trends)}`);
  }
  for (const chart of charts) byId(`${chart.id}-about`).textContent = aboutOf(chart, context);
  drawTools(context);
  for (const chart of STACKS) drawStack(chart, context);
  for (const chart of LINES) drawLine(chart, context);
}

const aboutOf = (chart, context) =>
  context.before && chart.id !== "escalations" && chart.id !== "tones"
    ? `${chart.about(context)} 7-day means, left out where one of the seven days is missing, incomplete or not final.`
    : chart.about(context);

function frame({ id, title, wide }) {
  const csv = { class: "download", href: "#", download: true, "aria-label": `${title} as CSV` };
  return h(
    "figure",
    { class: wide ? "panel wide" : "panel", "aria-labelledby": `${id}-title` },
    h(
      "div",
      { class: "panel-head" },
      h("h2", { id: `${id}-title` }, title),
      h(
        "span",
        { class: "downloads" },
        h(
          "button",
          { class: "download picture", type: "button", "aria-label": `${title} as PNG` },
          "PNG",
        ),
        h("a", csv, "CSV"),
      ),
      h("span", { class: "about", id: `${id}-about` }),
    ),
    id === "topics" ? h("div", { class: "tools", id: "topics-tools" }) : null,
    h("p", { class: "readout", id: `${id}-readout` }),
    h("div", { class: "legend", id: `${id}-legend`, role: "group", "aria-label": `${title}: key` }),
    h("div", { class: "plot", id, tabindex: "0" }),
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

/** The choices that concern the chart of topics: which topic, counts or shares, the mean. */
function drawTools({ trends, view, show }) {
  const box = byId("topics-tools");
  const topics = seriesOf(trends.totals, "topics", { theme: themeName(), all: true });
  const names = topics.map((one) => [one.name, one.text]);
  const { topic } = view;
  if (topic !== null && !names.some(([name]) => name === topic)) names.push([topic, topic]);
  const option = ([name, text]) =>
    h("option", { value: `=${name}`, selected: name === topic }, text);
  const toggle = (id, name, text) =>
    h(
      "label",
      { class: "toggle" },
      h("input", {
        type: "checkbox",
        id,
        checked: view[name],
        onchange: ({ target }) => show({ [name]: target.checked, offset: view.offset }),
      }),
      text,
    );
  update(
    box,
    h(
      "label",
      {},
      h("span", { class: "visually-hidden" }, "Topic"),
      h(
        "select",
        {
          id: "topic",
          onchange: ({ target }) => {
            show({ topic: target.value ? target.value.slice(1) : null, offset: view.offset });
          },
        },
        h("option", { value: "" }, "All topics"),
        names.map(option),
      ),
    ),
    toggle("share", "share", "Share (100%)"),
    ...(view.period === "daily" ? [toggle("mean", "mean", "7-day mean")] : []),
  );
}

function drawStack(chart, context) {
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
  // nothing counted is a zero, of what is stored
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

/** The width of a period on the time axis, in milliseconds. */
const widthOf = (kind, date) => Date.parse(addPeriods(kind, date, 1)) - Date.parse(date);

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
    return h(
      "button",
      {
        type: "button",
        "aria-pressed": pressed,
        "data-key": `=${one.name}`,
        "data-name": one.name,
        onclick,
      },
      h("i", { color: one.color }),
      `${one.text} `,
      h("small", { "data-total": shown(one.total) }, shown(one.total)),
      one.name === REST_NAME ? h("span", { class: "do" }, "show") : null,
    );
  };
  const fewer =
    !opens && opened.has(id)
      ? h(
          "button",
          {
            type: "button",
            "data-key": "\u0000fewer",
            "data-name": "\u0000fewer",
            onclick: () => flip(opened, id, REST_NAME),
          },
          h("span", { class: "do" }, "show fewer"),
        )
      : null;
  const none =
    !series.length && context.trends.totals.storedDays
      ? h("span", { class: "key", "data-key": "none" }, `${plural(chart)} `, h("small", {}, "0"))
      : null;
  update(box, series.map(key), none, fewer, gapKeys(chart, context));
}

/** What hatching, dots and triangles mean, where there are any; and where it is not known what is unusual. */
function gapKeys({ figure }, { trends, marked }) {
  const key = (mark, text) => h("span", { class: "key", "data-key": text }, mark, text);
  const hatched = () => h("i", { class: "hatched" });
  const has = (test) => trends.days.some(test);
  const { findings, from, problem } = marked;
  const since = from > trends.from ? `; judged from ${shortPeriod(trends.period, from)} on` : "";
  return [
    has((day) => day.state === "missing") ? key(hatched(), "no data") : null,
    has((day) => day.state === "unreadable") ? key(hatched(), "cannot be read") : null,
    has(isPartial) ? key(hatched(), "some organizations missing") : null,
    has(isNotFinal) ? key(h("i", { class: "dotted" }), "not final") : null,
    figure && (findings.some((one) => one.figure === figure) || since)
      ? key(h("b", { "aria-hidden": "true" }, "▾"), `unusual${since}`)
      : null,
    ...(trends.marks ?? []).map((one) =>
      key(h("b", { "aria-hidden": "true" }, "◆"), `${span(one)}: ${one.name}`),
    ),
    figure && problem ? key(null, `what is unusual is not marked: ${problem}`) : null,
  ];
}

function drawLine(chart, context) {
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
    h(
      "span",
      { class: "key", "data-name": id },
      h("i", { color }),
      `${name} `,
      h("small", { "data-total": total }, total),
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

const oneDecimal = (value) => (value === null ? null : Math.round(10 * value) / 10);

/** Say the values of a day in the legend, or the range's for null. Returns what was said. */
function readOut({ id, title }, context, index, windows, read) {
  const readout = byId(`${id}-readout`);
  const smalls = byId(`${id}-legend`).querySelectorAll("[data-name] small");
  if (index === null) {
    readout.textContent = span(context.trends);
    for (const small of smalls) small.textContent = small.dataset.total;
    return `${title}, ${span(context.trends)}`;
  }
  const window = windows[index];
  const { total, values } = window ? read(window) : { total: null, values: new Map() };
  readout.textContent = aboutDay(context, index, total);
  const said = [];
  for (const small of smalls) {
    const key = small.closest("[data-name]");
    const value = values.get(key.dataset.name) ?? "–";
    small.textContent = value;
    if (values.has(key.dataset.name)) said.push(`${key.childNodes[1].textContent.trim()} ${value}`);
  }
  return [readout.textContent, ...said].join(", ");
}

/** "Sun, 1 Nov 2026: 12 messages · 2 organizations missing · 58 alerts; usually 2 to 6" */
function aboutDay({ trends, view, marked, before }, index, total) {
  const day = trends.days[index];
  const none = "no 7-day mean: not all of the seven days are stored, complete and final";
  const what = total === null ? (STATES[day.state] ?? none) : total;
  const mean = total !== null && before ? "7-day mean " : "";
  const more = [
    ...marksOn(trends, view.period, day.date).map(({ name }) => name),
    ...lacksOf(day),
    ...marked.findings.filter((one) => one.date === day.date).map((one) => one.sentence),
  ];
  return [`${longPeriod(view.period, day.date)}: ${mean}${what}`, ...more].join(" · ");
}

/** What a stored day lacks, in words. */
function lacksOf(day) {
  const of = (number, what) => (number > 0 ? [`${count(number, "organization")} ${what}`] : []);
  const since = day.computedAt ? `: as of ${moment(Date.parse(day.computedAt))}` : "";
  return [
    ...of(isPartial(day) ? day.organizationsMissing : 0, "missing"),
    ...of(isPartial(day) ? day.organizationsUnreadable : 0, "that cannot be read"),
    ...of(isNotFinal(day) ? day.organizationsNotFinal : 0, "not final"),
    ...(isNotFinal(day) && day.isFinal === false ? [`not final${since}`] : []),
  ];
}

/**
 * Hatching over each period that has no data, and along the top where some organizations have none; dots over one that is
 * not final, or along the top where that is so of some organizations.
 */
function gapTraces(kind, days) {
  const hatch = (name, dates, base, height, shape = "/") => ({
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
  });
  const dates = (test) => days.filter(test).map((day) => day.date);
  return [
    hatch(
      "gap",
      dates((day) => GAPS.has(day.state)),
      0,
      1,
    ),
    hatch("partial", dates(isPartial), 0.95, 0.05),
    hatch(
      "notFinal",
      dates((day) => isNotFinal(day) && !isSomeFinal(day)),
      0,
      1,
      ".",
    ),
    hatch(
      "someNotFinal",
      dates((day) => isNotFinal(day) && isSomeFinal(day)),
      0.9,
      0.05,
      ".",
    ),
  ];
}

const isSomeFinal = (day) => day.organizationsNotFinal < day.organizationsStored;

/** The named days that lie in a period. */
export const marksOn = ({ marks }, period, date) =>
  (marks ?? []).filter(({ from, to }) => from <= lastDate(period, date) && to >= date);

/** A small diamond above each period with a named day. */
const marksTrace = (trends, period) =>
  markersTrace(
    "marks",
    trends.days.map(({ date }) => date).filter((date) => marksOn(trends, period, date).length),
    { y: 0.9, symbol: "diamond", size: 8, color: themed("--muted") },
  );

/** A small triangle above each day on which the chart's figure is unusual. */
const unusualTrace = (figure, findings) =>
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

function plot(chart, context, traces, yaxis, sayDay) {
  const { id, title } = chart;
  const { trends, view, marked, onGap } = context;
  const box = byId(id);
  makeReadable(box, title, trends.days, sayDay);
  if (!globalThis.Plotly) {
    const text =
      "Charts need the Python package plotly on Airflow's API server. The data table has the numbers.";
    box.replaceChildren(h("p", { class: "empty" }, text));
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

function drawTable(id, columns, { days, period }, cells) {
  const lacks = (day) => {
    const found = day.state === "stored" ? lacksOf(day) : [];
    return found.length ? h("small", {}, ` ${found.join(", ")}`) : null;
  };
  const row = (day) =>
    h(
      "tr",
      { "data-key": day.date },
      h("th", { scope: "row" }, shortPeriod(period, day.date), lacks(day)),
      day.state === "stored"
        ? cells(day).map((value) => h("td", { class: "number" }, shown(value)))
        : h("td", { class: "number", colspan: columns.length || 1 }, STATES[day.state]),
    );
  const heading = h(
    "tr",
    {},
    h(
      "th",
      { scope: "col" },
      NOUNS[period].replace(/^./, (letter) => letter.toUpperCase()),
    ),
    columns.map((text) => h("th", { scope: "col", class: "number" }, text)),
  );
  update(
    byId(`${id}-table`),
    h("table", {}, h("thead", {}, heading), h("tbody", {}, days.toReversed().map(row))),
  );
}
