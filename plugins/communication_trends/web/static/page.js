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
    if (page.asking === mine) finished(view);
  } catch (error) {
    if (error.name === "AbortError" || page.asking !== mine) return;
    broken(view, error instanceof Problem ? error : new Problem(`This page has a fault: ${error}`));
    if (!(error instanceof Problem)) throw error;
  } finally {
    if (page.asking === mine) byId("main").setAttribute("aria-busy", "false");
  }
}

const sameView = (view) => page.drawn && JSON.stringify(page.drawn.view) === JSON.stringify(view);

/** Ask for everything at once; what the page is about decides its state, every other panel has its own failure. */
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
  const main = organization ? null : get("overview", ranked(view, days));
  const comparison = get("comparison", own);
  const gaps = organization ? trends : get("freshness", { ...days, limit: BEHIND });
  const hotspots = get("hotspots", { ...own, limit: HOTSPOTS });
  const attention = get("attention", { organization, to: days.to, limit: FINDINGS });
  // the marks in the charts are of the whole range
  const marks = organization
    ? get("attention", { ...own, limit: BEHIND }).then(
        ({ findings }) => findings,
        () => [],
      )
    : [];
  const panels = [
    ["cards", "Figures", Promise.all([comparison, trends])],
    ["attention", "Unusual", attention],
    ["hotspots", "Hot channels", hotspots],
    ["gaps", "What is missing", gaps],
    ["ranking", "Organizations", main],
  ];
  // none may fail unheard while the first is waited for
  const settled = Promise.allSettled(panels.map(([, , answer]) => answer));
  const [drawnTrends, earlier, findings] = await Promise.all([trends, before, marks]);
  const answers = await settled;
  signal.throwIfAborted();
  page.drawn = {
    view,
    trends: drawnTrends,
    before: earlier,
    findings,
    answers: new Map(),
    time: Date.now(),
  };
  panels.forEach(([id, title], index) => {
    page.drawn.answers.set(id, { title, ...answers[index] });
  });
  draw();
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

function draw() {
  const { view, trends, before, findings, answers } = page.drawn;
  const { organization, period } = view;
  const days = { from: trends.from, to: trends.to };
  const own = { period, organization, ...days };
  const every = !organization;
  const wasInside = byId("main").contains(document.activeElement);
  const { mayRun } = facts.periods[period];
  const csv = (path, parameters) => route(path, { ...own, ...parameters, format: "csv" });
  const drawers = {
    cards: (box, [comparison]) => drawCards(box, comparison, trends),
    attention: (box, answer) =>
      drawAttention(box, answer, {
        total: every ? trends.organizationsTotal : null,
        marked: findings,
        csv: csv("attention", { from: answer.from, to: answer.to }),
        show,
      }),
    gaps: (box, answer) =>
      organization
        ? drawGaps(box, answer, { mayRun, offer })
        : drawFreshness(box, answer, { mayRun, offer, show }),
    ranking: (box, answer) =>
      drawRanking(box, answer, {
        view,
        csv: route("overview", {
          period,
          ...days,
          sort: view.sort,
          order: view.order,
          format: "csv",
        }),
        show,
      }),
    hotspots: (box, answer) => drawHotspots(box, answer, { every, csv: csv("hotspots"), show }),
  };
  showHead();
  for (const [id, { title, status, value, reason }] of answers) {
    if (status === "fulfilled") drawers[id](byId(id), value);
    else if (reason instanceof Problem) drawFailure(byId(id), title, reason, load);
    else throw reason;
  }
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
      mayRun && offer([{ date, organizations: every ? null : [trends.organization] }]),
  });
  // where what had the focus is gone, going on with the keys begins at what came instead
  const { activeElement } = document;
  if (wasInside && (activeElement === document.body || !activeElement.checkVisibility()))
    byId("main").focus({ preventScroll: true });
}

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
