// The charts: what each is of, and what is around it. Each has a legend that hides series and says the values of the day
// pointed at, by mouse or by the arrow keys, so that nothing covers the data; and a table of the same numbers.

import { byId, el, themeName, update } from "./dom.js";
import { anyOf, NOUNS, span } from "./format.js";
import { drawLine } from "./line.js";
import { csvLink } from "./panels.js";
import { downloadPicture } from "./picture.js";
import { confidenceOf, percentRange, riskOf, seriesOf } from "./series.js";
import { drawStack } from "./stack.js";

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
 * @property {function(object)} navigate changes what is shown
 * @property {function(string)} onGap called with the day of a gap that was clicked
 */

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
  return el(
    "figure",
    { class: wide ? "panel wide" : "panel", "aria-labelledby": `${id}-title` },
    el(
      "div",
      { class: "panel-head" },
      el("h2", { id: `${id}-title` }, title),
      el(
        "span",
        { class: "downloads" },
        el(
          "button",
          { class: "download picture", type: "button", "aria-label": `${title} as PNG` },
          "PNG",
        ),
        csvLink(title, "#"),
      ),
      el("span", { class: "about", id: `${id}-about` }),
    ),
    id === "topics" ? el("div", { class: "tools", id: "topics-tools" }) : null,
    el("p", { class: "readout", id: `${id}-readout` }),
    el("div", {
      class: "legend",
      id: `${id}-legend`,
      role: "group",
      "aria-label": `${title}: key`,
    }),
    el("div", { class: "plot", id, tabindex: "0" }),
    el(
      "details",
      {},
      el("summary", {}, "Data table"),
      el("div", {
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
function drawTools({ trends, view, navigate }) {
  const box = byId("topics-tools");
  const topics = seriesOf(trends.totals, "topics", { theme: themeName(), all: true });
  const names = topics.map((one) => [one.name, one.text]);
  const { topic } = view;
  if (topic !== null && !names.some(([name]) => name === topic)) names.push([topic, topic]);
  const option = ([name, text]) =>
    el("option", { value: `=${name}`, selected: name === topic }, text);
  const toggle = (name, text) =>
    el(
      "label",
      { class: "toggle" },
      el("input", {
        type: "checkbox",
        id: name,
        checked: view[name],
        onchange: ({ target }) => navigate({ [name]: target.checked, offset: view.offset }),
      }),
      text,
    );
  update(
    box,
    el(
      "label",
      {},
      el("span", { class: "visually-hidden" }, "Topic"),
      el(
        "select",
        {
          id: "topic",
          onchange: ({ target }) => {
            navigate({ topic: target.value ? target.value.slice(1) : null, offset: view.offset });
          },
        },
        el("option", { value: "" }, "All topics"),
        names.map(option),
      ),
    ),
    toggle("share", "Share (100%)"),
    ...(view.period === "daily" ? [toggle("mean", "7-day mean")] : []),
  );
}
