// Lets each part of the page draw its own.

import { isId, rangeOf } from "./address.js";
import { Problem, route, trendsPath } from "./api.js";
import { drawAttention } from "./attention.js";
import { drawCards } from "./cards.js";
import { drawChanges } from "./changes.js";
import { drawCharts } from "./charts.js";
import { showControls } from "./controls.js";
import { byId } from "./dom.js";
import { count, NOUNS, shown, span } from "./format.js";
import { drawFreshness, drawGaps } from "./gaps.js";
import { drawChannel, drawHotspots } from "./hotspots.js";
import { leaveTo } from "./location.js";
import { drawFailure } from "./panels.js";
import { isoDay, lastDate } from "./periods.js";
import { DEFAULT_SORT, drawRanking } from "./ranking.js";
import { drawRun } from "./run.js";
import { isNotFinal } from "./series.js";
import { due, isDrawn, pageConfig, state } from "./state.js";
import { hasData } from "./status.js";

/**
 * @typedef {object} Actions what a person can do in the panels
 * @property {function(object, object=)} navigate changes what is shown
 * @property {function()} load asks for everything again
 * @property {function(object[])} offer offers to run the DAG for what is missing
 * @property {function()} copy copies the page as text
 * @property {function()} compare compares topics and tones
 * @property {function()} more asks for more findings
 */

/**
 * Draw the charts, and all panels whose answers are there.
 *
 * @param {Actions} actions
 */
export function draw(actions) {
  const { view, trends, before, marked, answers } = state.drawn;
  const { organization, period } = view;
  const days = { from: trends.from, to: trends.to };
  const { mayRun } = pageConfig.periods[period];
  const { navigate, offer } = actions;
  showHead();
  for (const id of answers.keys()) drawPanel(id, actions);
  keepFocus(() => {
    drawChannel(byId("channel"), trends, organization ? view.channel : null, navigate);
    drawRun(byId("run"), state.run, leaveTo);
    drawCharts(byId("charts"), {
      trends,
      view,
      before,
      marked,
      csv: route(trendsPath(organization), { period, ...days, format: "csv" }),
      riskyTopics: trends.riskyTopics,
      hidden: state.hidden,
      opened: state.opened,
      navigate,
      onGap: (date) =>
        mayRun && offer([{ date, organizations: organization ? [trends.organization] : null }]),
    });
  });
}

/** Draw one panel from its answer, or say why there is none. */
export function drawPanel(id, actions) {
  const { status, value, reason } = state.drawn.answers.get(id);
  const box = byId(id);
  delete box.dataset.waiting;
  keepFocus(() => {
    if (status === "fulfilled") DRAWERS[id](box, value, state.drawn, actions);
    else if (reason instanceof Problem) drawFailure(box, titleOf(id), reason, actions.load);
    else throw reason;
  });
}

const TITLES = {
  changes: "What changed",
  cards: "Metrics",
  hotspots: "Hotspots",
  gaps: "What is missing",
  ranking: "Organizations",
};

const titleOf = (id) =>
  TITLES[id] ?? (state.drawn.view.organization ? "Unusual" : "Who needs a call");

/** If the focused element is gone after a redraw, focus its replacement. */
function keepFocus(drawing) {
  const wasInside = byId("main").contains(document.activeElement);
  drawing();
  const { activeElement } = document;
  if (wasInside && (activeElement === document.body || !activeElement.checkVisibility()))
    byId("main").focus({ preventScroll: true });
}

/** The address of a panel's numbers as CSV. */
const csvOf = (path, { view: { period, organization }, trends: { from, to } }, parameters = {}) =>
  route(path, { period, organization, from, to, ...parameters, format: "csv" });

const DRAWERS = {
  cards: (box, comparison, drawn, { copy }) =>
    drawCards(box, comparison, drawn.trends, {
      csv: csvOf("comparison", drawn, { compare: drawn.view.compare }),
      copy,
    }),
  attention: (box, answer, { view, trends, marked, ...drawn }, { navigate, more }) =>
    drawAttention(box, answer, {
      total: view.organization ? null : trends.organizationsTotal,
      marked,
      csv: csvOf("attention", { view, trends, ...drawn }, { from: answer.from, to: answer.to }),
      navigate,
      more,
    }),
  gaps: (box, answer, { view: { organization, period } }, { navigate, offer }) => {
    const { mayRun } = pageConfig.periods[period];
    const { runs, latest } = state;
    const today = isoDay(Date.now());
    if (organization) drawGaps(box, answer, { mayRun, runs, today, offer });
    else drawFreshness(box, answer, { mayRun, runs, latest, offer, navigate });
  },
  ranking: (box, answer, drawn, { navigate }) => {
    const { view, trends } = drawn;
    const csv = csvOf("overview", drawn, {
      sort: view.sort ?? DEFAULT_SORT,
      order: view.order,
      compare: view.compare,
    });
    drawRanking(box, answer, { view, csv, trends, navigate });
  },
  changes: (box, answer, drawn, { navigate, compare }) =>
    drawChanges(box, answer, {
      csv: csvOf("topic-changes", drawn, { compare: drawn.view.compare }),
      compare,
      navigate,
    }),
  hotspots: (box, answer, drawn, { navigate }) =>
    drawHotspots(box, answer, {
      trends: drawn.trends,
      csv: csvOf("hotspots", drawn),
      navigate,
    }),
};

function showHead() {
  const { trends } = state.drawn;
  const { storedDays, expectedDays } = trends.totals;
  const name = trends.organization?.name;
  const noun = NOUNS[trends.period];
  const whom = trends.organization
    ? "Communication trends"
    : count(trends.organizationsTotal, "organization");
  const open = trends.days.filter(isNotFinal);
  const messages = [
    hasData(trends) ? count(trends.totals.totalClassifications, "message") : "no data",
    ...(open.length ? [`${count(open.length, noun)} not final`] : []),
  ];
  document.title = `${name ?? "All organizations"} – Communication trends`;
  byId("subtitle").textContent = [whom, span(trends), ...messages].join(" · ");
  const stored = `${shown(storedDays)} of ${count(expectedDays, noun)} stored`;
  byId("status").textContent =
    `${name ?? "All organizations"}: ${[stored, ...messages].join(", ")}.`;
  showBar();
}

/** Show what is asked for: in the controls, and as the title. */
export function showBar() {
  const { view, drawn, chosen, status } = state;
  const range = isDrawn(view) ? drawn.range : rangeOf(view, due(view.period));
  showControls(view, range, isoDay(Date.now()), lastDate(view.period, due(view.period)));
  const field = byId("organization");
  // not while a person types into it
  if (field.getAttribute("aria-expanded") === "true") return;
  // an answer to this view is of this organization, however the address writes its id
  const known = isDrawn(view)
    ? drawn.trends.organization
    : [drawn?.trends.organization, chosen].find((one) => one?.id === view.organization);
  const unknown = status === "loading" && isId(view.organization) ? "…" : view.organization;
  field.value = view.organization === null ? "" : (known?.name ?? unknown);
  byId("title").textContent = field.value || "Communication trends";
}
