// The page: holds what is shown, asks for it, and lets each part draw its own.

import { changed, rangeOf } from "./address.js";
import { ask, base, Problem, queue, route, trendsPath } from "./ask.js";
import { here, leaveTo, onBack, readPlace, readView, writeView } from "./bar.js";
import { drawCharts } from "./charts.js";
import { makeControls, showControls, showProblems } from "./controls.js";
import { byId, h } from "./dom.js";
import { readFacts } from "./facts.js";
import {
  drawAttention,
  drawCards,
  drawChannel,
  drawFailure,
  drawFreshness,
  drawGaps,
  drawHotspots,
} from "./panels.js";
import { addDays, isoDay, KINDS, lastDue } from "./periods.js";
import { makePicker } from "./picker.js";
import { drawRanking, PAGE_SIZE } from "./ranking.js";
import { drawRun } from "./run.js";
import { offerRuns } from "./runs.js";
import { count, NOUNS, shown, span } from "./words.js";

const REFRESH = 5 * 60_000;
const HOTSPOTS = 15;
const FINDINGS = 50;
const BEHIND = 200;
const MEAN_REACH = 6;
/** The API has four places for everybody together. */
const AT_ONCE = 2;

const facts = readFacts();
byId("version").textContent = facts.version;
const page = {
  /** what is shown, as the address has it */
  view: readView(),
  /** the answers that are on the page, the view they are of, and when they came */
  drawn: null,
  /** what the person has hidden and opened in the charts */
  kept: { hidden: new Set(), opened: new Set() },
  /** ends the asking that is under way */
  asking: null,
  /** the run whose tab this is */
  run: null,
};

const due = (period) => lastDue(period, Date.now(), facts.periods[period].delay);
const range = () => rangeOf(page.view, due(page.view.period));

function show(changes) {
  page.view = changed(page.view, changes);
  writeView(page.view, true);
  return load();
}

// ---- asking ----

async function load() {
  page.asking?.abort();
  const mine = new AbortController();
  page.asking = mine;
  const { view } = page;
  byId("main").setAttribute("aria-busy", "true");
  setState(sameView(view) ? page.state : "loading");
  // the numbers of the view before are still there, dimmed: what is asked for is not
  if (!sameView(view)) byId("subtitle").textContent = "Loading…";
  showBar();
  try {
    await fill(view, mine.signal);
  } catch (error) {
    if (error.name === "AbortError" || page.asking !== mine) return;
    broken(view, error instanceof Problem ? error : new Problem(`This page has a fault: ${error}`));
    if (!(error instanceof Problem)) throw error;
  } finally {
    if (page.asking === mine) byId("main").setAttribute("aria-busy", "false");
  }
}

const sameView = (view) => page.drawn && JSON.stringify(page.drawn.view) === JSON.stringify(view);

/**
 * Ask for everything at once. What the page is about decides its state, and is drawn as soon as it is there; every other
 * panel comes when its answer comes, and has its own failure.
 */
async function fill(view, signal) {
  const { organization, period } = view;
  const days = range();
  const inTurn = queue(AT_ONCE);
  const get = (path, parameters) =>
    inTurn(() => ask(route(path, { period, ...parameters }), { signal }));
  const own = { organization, ...days };
  const trends = get(trendsPath(organization), days);
  const before = hasMean(view)
    ? get(trendsPath(organization), weekBefore(days)).then((answer) => answer.days)
    : null;
  // the marks in the charts are of the whole range; before the panels, since the charts wait for them
  const marks = organization
    ? get("attention", { ...own, limit: BEHIND }).then(
        ({ findings }) => findings,
        () => [],
      )
    : [];
  const main = organization ? null : get("overview", ranked(view, days));
  const comparison = get("comparison", own);
  const gaps = organization ? trends : get("freshness", { ...days, limit: BEHIND });
  const hotspots = get("hotspots", { ...own, limit: HOTSPOTS });
  const attention = get("attention", { organization, to: days.to, limit: FINDINGS });
  const panels = [
    ["cards", "Figures", Promise.all([comparison, trends])],
    ["attention", "Unusual", attention],
    ["hotspots", "Hot channels", hotspots],
    ["gaps", "What is missing", gaps],
    ["ranking", "Organizations", main],
  ];
  // none may fail unheard while the first is waited for
  const settled = panels.map(([, , answer]) => Promise.allSettled([answer]));
  const isOther = !sameView(view);
  const [drawnTrends, earlier, findings] = await Promise.all([trends, before, marks]);
  signal.throwIfAborted();
  page.drawn = {
    view,
    trends: drawnTrends,
    before: earlier,
    findings,
    answers: new Map(),
    time: Date.now(),
  };
  // what is there of another view must not look like this one's
  if (isOther) for (const [id] of panels) byId(id).dataset.waiting = "";
  draw();
  finished(view);
  await Promise.all(
    panels.map(async ([id, title], index) => {
      const [outcome] = await settled[index];
      signal.throwIfAborted();
      page.drawn.answers.set(id, { title, ...outcome });
      drawPanel(id);
    }),
  );
}

const ranked = ({ sort, order, offset }, days) => ({
  ...days,
  sort,
  order,
  offset,
  limit: PAGE_SIZE,
});

const hasMean = ({ mean, period }) => mean && period === "daily";

/** A mean of seven days needs the six before the range. */
const weekBefore = ({ from }) => ({ from: addDays(from, -MEAN_REACH), to: addDays(from, -1) });

// ---- the state of the whole page ----

const STATES = ["loading", "ready", "stale", "empty", "refused", "broken"];

function setState(state, text = null, button = null) {
  page.state = STATES.includes(state) ? state : "loading";
  document.body.dataset.state = page.state;
  const box = byId("notice");
  box.hidden = !text;
  box.replaceChildren(...(text ? [h("span", {}, text)] : []), ...(button ? [button] : []));
}

const again = () => h("button", { class: "plain", type: "button", onclick: load }, "Try again");

function finished(view) {
  showProblems({});
  const { trends } = page.drawn;
  const time = new Date(page.drawn.time).toISOString().slice(11, 16);
  byId("updated").textContent = `Updated ${time} UTC; again every 5 minutes.`;
  if (hasData(trends)) {
    setState("ready");
    return;
  }
  setState("empty", emptyText(view, trends));
  if (view.period !== "daily") explainPaused(view);
}

const hasData = ({ days }) => days.some(({ state }) => state === "stored");

function emptyText({ period }, trends) {
  if (trends.organizationsTotal === 0) return "There are no organizations yet.";
  const name = trends.organization?.name ?? "any organization";
  return `No data for ${name}, ${span(trends)}: nothing is stored for any ${NOUNS[period]} of it.`;
}

/** The DAGs of weeks and months are paused until somebody wants them. */
async function explainPaused(view) {
  const { dagId } = facts.periods[view.period];
  const dag = await ask(`${base()}/api/v2/dags/${dagId}`).catch(() => ({}));
  if (!dag.is_paused || page.view !== view || page.state !== "empty") return;
  const text =
    `No ${NOUNS[view.period]} is stored: the DAG ${dagId} is paused. ` +
    `Unpause it in Airflow to have every ${NOUNS[view.period]} from now on; run or backfill it for earlier ones.`;
  setState("empty", text);
}

function broken(view, problem) {
  if (problem.kind === "invalid") showProblems(problem.fields);
  if (problem.kind === "login") {
    const login = h("button", { class: "primary", type: "button", onclick: logIn }, "Log in");
    setState(sameView(view) ? "stale" : "refused", `${problem.message} ${stale(view)}`, login);
  } else if (problem.kind === "broken" && sameView(view)) {
    setState("stale", `${stale(view)} ${problem.message}`, again());
  } else {
    setState(problem.kind === "broken" ? "broken" : "refused", problem.message, again());
  }
  if (page.state !== "stale") page.drawn = null;
}

function stale(view) {
  if (!sameView(view)) return "";
  const time = new Date(page.drawn.time).toISOString().slice(11, 16);
  return `These numbers are of ${time} UTC; they could not be updated.`;
}

const logIn = () => leaveTo(`${base()}/api/v2/auth/login?next=${encodeURIComponent(here())}`);

// ---- drawing ----

/** Draw the charts, and all panels whose answers are there. */
function draw() {
  const { view, trends, before, findings, answers } = page.drawn;
  const { organization, period } = view;
  const days = { from: trends.from, to: trends.to };
  const { mayRun } = facts.periods[period];
  showHead();
  for (const id of answers.keys()) drawPanel(id);
  keepFocus(() => {
    drawChannel(byId("channel"), trends, organization ? view.channel : null, show);
    drawRun(byId("run"), page.run, leaveTo);
    drawCharts(byId("charts"), {
      trends,
      view,
      before,
      findings,
      csv: route(trendsPath(organization), { period, ...days, format: "csv" }),
      riskyTopics: facts.riskyTopics,
      kept: page.kept,
      show,
      onGap: (date) =>
        mayRun && offer([{ date, organizations: organization ? [trends.organization] : null }]),
    });
  });
}

/** Draw one panel from its answer, or say why there is none. */
function drawPanel(id) {
  const { title, status, value, reason } = page.drawn.answers.get(id);
  const box = byId(id);
  delete box.dataset.waiting;
  keepFocus(() => {
    if (status === "fulfilled") DRAWERS[id](box, value, page.drawn);
    else if (reason instanceof Problem) drawFailure(box, title, reason, load);
    else throw reason;
  });
}

/** Where what had the focus is gone after drawing, going on with the keys begins at what came instead. */
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
  cards: (box, [comparison], { trends }) => drawCards(box, comparison, trends),
  attention: (box, answer, drawn) =>
    drawAttention(box, answer, {
      total: drawn.view.organization ? null : drawn.trends.organizationsTotal,
      marked: drawn.findings,
      csv: csvOf("attention", drawn, { from: answer.from, to: answer.to }),
      show,
    }),
  gaps: (box, answer, { view: { organization, period } }) => {
    const { mayRun } = facts.periods[period];
    if (organization) drawGaps(box, answer, { mayRun, offer });
    else drawFreshness(box, answer, { mayRun, offer, show });
  },
  ranking: (box, answer, drawn) => {
    const { view } = drawn;
    const csv = csvOf("overview", drawn, { sort: view.sort, order: view.order });
    drawRanking(box, answer, { view, csv, show });
  },
  hotspots: (box, answer, drawn) =>
    drawHotspots(box, answer, {
      every: !drawn.view.organization,
      csv: csvOf("hotspots", drawn),
      show,
    }),
};

function showHead() {
  const { view, trends } = page.drawn;
  const name = trends.organization?.name;
  const whom = name ?? count(trends.organizationsTotal, "organization");
  const messages = hasData(trends)
    ? count(trends.totals.totalClassifications, "message")
    : "no data";
  document.title = `${name ?? "All organizations"} – Communication trends`;
  byId("subtitle").textContent = `${whom} · ${span(trends)} · ${messages}`;
  const { days, missingDays } = trends.totals;
  const stored = `${shown(days - missingDays)} of ${count(days, NOUNS[view.period])}`;
  byId("status").textContent = `${name ?? "All organizations"}: ${stored}, ${messages}.`;
  showBar();
}

function offer(periods) {
  const { period } = page.view;
  offerRuns(periods, { period, dagId: facts.periods[period].dagId }, report, load);
}

/** Say how a run goes on. */
function report(text, wrong) {
  const box = byId("progress");
  box.hidden = !text;
  box.classList.toggle("problem", wrong);
  const close = () => {
    box.hidden = true;
  };
  box.replaceChildren(
    h("span", {}, text),
    h("button", { class: "plain", type: "button", onclick: close }, "Close"),
  );
}

function showBar() {
  showControls(page.view, range(), isoDay(Date.now()));
  const field = byId("organization");
  // not while a person types into it
  if (field.getAttribute("aria-expanded") === "true") return;
  const drawn = page.drawn?.trends.organization;
  const slug = page.view.organization;
  field.value = [drawn?.slug, drawn?.id].includes(slug) ? drawn.name : (slug ?? "");
}

// ---- beginning ----

async function begin() {
  makeControls(show);
  makePicker(
    ({ slug }) => show({ organization: slug }),
    showBar,
    () => page.view.organization,
  );
  addEventListener("themechange", () => page.drawn && draw());
  onBack((view) => {
    page.view = view;
    writeView(view, false);
    load();
  });
  const { dag, run } = readPlace();
  const kind = KINDS.find((one) => facts.periods[one].dagId === dag);
  if (dag && !kind) {
    const makers = KINDS.map((one) => facts.periods[one].dagId).join(", ");
    setState("refused", `Communication trends are made by ${makers}. This is ${dag}.`);
    return;
  }
  if (kind && kind !== page.view.period) page.view = changed(page.view, { period: kind });
  writeView(page.view, false);
  if (run) await openRun(kind ?? "daily", run);
  setInterval(() => !document.hidden && load(), REFRESH);
  await load();
}

/** On a run's tab: show the period that the run is for, unless the address asks for another. */
async function openRun(kind, run) {
  try {
    const answer = await ask(route(`runs/${encodeURIComponent(run)}`, { period: kind }));
    page.run = { ...answer, dagId: facts.periods[kind].dagId };
    if (page.view.from) return;
    page.view = changed(page.view, { last: null, from: answer.date, to: answer.to });
    writeView(page.view, false);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    report(error.message, true);
  }
}

begin();
