// The page: holds what is shown, asks for it, and lets each part draw its own.

import { changed, isId, rangeOf } from "./address.js";
import { ask, base, Problem, queue, route, trendsPath } from "./ask.js";
import { here, leaveTo, onBack, readPlace, readView, writeView } from "./bar.js";
import { drawCards } from "./cards.js";
import { drawChanges, isSmall } from "./changes.js";
import { drawCharts } from "./charts.js";
import { makeControls, showControls, showProblems } from "./controls.js";
import { byId, h, update } from "./dom.js";
import { readFacts } from "./facts.js";
import { drawFreshness, drawGaps } from "./gaps.js";
import { drawAttention, drawChannel, drawFailure, drawHotspots } from "./panels.js";
import { addDays, addPeriods, isoDay, KINDS, lastDate, lastDue } from "./periods.js";
import { makePicker } from "./picker.js";
import { fitToPaper } from "./picture.js";
import { DEFAULT_SORT, drawRanking, PAGE_SIZE } from "./ranking.js";
import { reportText } from "./report.js";
import { drawRun } from "./run.js";
import { activeRuns, latestRun, offerRuns } from "./runs.js";
import { isNotFinal } from "./series.js";
import { count, moment, NOUNS, PLURALS, shown, span } from "./words.js";

const REFRESH = 5 * 60_000;
/** How often it is looked whether that time is over: a computer that slept for days has no other clock. */
const LOOK = 15_000;
const HOTSPOTS = 15;
const FINDINGS = 200;
const BEHIND = 200;
/** Periods that the API judges in one answer. */
const JUDGED = 92;
const MEAN_REACH = 6;
/** The API has four places for everybody together. */
const AT_ONCE = 2;

const facts = readFacts();
Object.assign(PLURALS, facts.plurals);
byId("version").textContent = facts.version;
/** All that decides what the page looks like; `draw` and `drawPanel` are the only ones that make it so. */
const state = {
  /** what is to be shown, as the address has it */
  view: readView(),
  /** the answers that are on the page, the view and the range they are of, and when they came */
  drawn: null,
  /** the organization that was chosen last: it has a name before there is an answer */
  chosen: null,
  /** one of STATUSES */
  status: "loading",
  /** what the person has hidden and opened in the charts */
  hidden: new Set(),
  opened: new Set(),
  /** the channel whose panel has been brought into sight */
  revealed: null,
  /** runs that have not ended; what they are for is not offered again */
  runs: [],
  /** the latest run that has ended; null where that is not known */
  latest: null,
  /** ends the asking that is under way, and when it began */
  asking: null,
  askedAt: 0,
  /** the run whose tab this is */
  run: null,
};

const STATUSES = ["loading", "ready", "stale", "empty", "refused", "broken"];

const due = (period) => lastDue(period, Date.now(), facts.periods[period].delay);
const sameView = (view) => state.drawn && JSON.stringify(state.drawn.view) === JSON.stringify(view);

function show(changes, organization = null) {
  state.chosen = organization ?? state.chosen;
  state.view = changed(state.view, changes);
  writeView(state.view, true);
  return load();
}

// ---- asking ----

async function load() {
  state.asking?.abort();
  const mine = new AbortController();
  state.asking = mine;
  state.askedAt = Date.now();
  byId("main").setAttribute("aria-busy", "true");
  if (!sameView(state.view)) {
    setStatus("loading");
    // the numbers of the view before are still there, dimmed: what is asked for is not
    byId("subtitle").textContent = "Loading…";
  } else if (state.askedAt - state.drawn.time > 2 * REFRESH) {
    setStatus("stale", `${asOf()} Asking for newer ones…`);
  }
  showBar();
  try {
    await identify(mine.signal);
    await fill(mine.signal);
  } catch (error) {
    if (error.name === "AbortError" || state.asking !== mine) return;
    broken(
      error instanceof Problem ? error : new Problem(`Something went wrong on this page: ${error}`),
    );
    if (!(error instanceof Problem)) throw error;
  } finally {
    if (state.asking === mine) byId("main").setAttribute("aria-busy", "false");
  }
}

/**
 * A slug may hold what no path can, or read like another path: tenants are asked for by id. An address with a slug is looked
 * up once, and says the id from then on.
 */
async function identify(signal) {
  const { organization, period } = state.view;
  if (organization === null || isId(organization)) return;
  const day = due(period);
  const path = route("comparison", { organization, period, from: day, to: day });
  state.chosen = (await ask(path, { signal })).organization;
  state.view = { ...state.view, organization: state.chosen.id };
  writeView(state.view, false);
}

/**
 * Ask for everything at once. What the page is about decides its status, and is drawn as soon as it is there; every other
 * panel comes when its answer comes, and has its own failure.
 */
async function fill(signal) {
  const { view } = state;
  const { organization, period, compare } = view;
  const days = rangeOf(view, due(period));
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
    ? get("attention", { ...judged(own, period), limit: BEHIND }).catch((error) => {
        if (!(error instanceof Problem)) throw error;
        return { findings: [], problem: error.message };
      })
    : { findings: [] };
  const main = organization ? null : get("overview", ranked(view, days));
  const comparison = get("comparison", { ...own, compare });
  const freshness = organization ? trends : get("freshness", { ...days, limit: BEHIND });
  const dag = { period, ...facts.periods[period] };
  const gaps = Promise.all([
    freshness,
    dag.mayRun ? activeRuns(dag, signal).catch(none) : [],
    organization ? null : latestRun(dag, signal).catch(none),
  ]).then(([answer, runs, latest]) => {
    state.runs = runs;
    state.latest = latest;
    return answer;
  });
  const hotspots = get("hotspots", { ...own, limit: HOTSPOTS });
  const attention = get("attention", { organization, to: days.to, limit: FINDINGS });
  // the charts' answer says how many organizations there are
  const changes = trends.then((answer) =>
    isSmall(answer) ? get("topic-changes", { ...own, compare }) : null,
  );
  const panels = [
    ["changes", "What changed", changes],
    ["cards", "Figures", comparison],
    ["attention", organization ? "Unusual" : "Who needs a call", attention],
    ["hotspots", "Hotspots", hotspots],
    ["gaps", "What is missing", gaps],
    ["ranking", "Organizations", main],
  ];
  // none may fail unheard while the first is waited for
  const settled = panels.map(([, , answer]) => Promise.allSettled([answer]));
  const isOther = !sameView(view);
  const [drawnTrends, earlier, marked] = await Promise.all([trends, before, marks]);
  signal.throwIfAborted();
  const kept = isOther ? new Map() : state.drawn.answers;
  state.drawn = {
    view,
    range: days,
    trends: drawnTrends,
    before: earlier,
    marked,
    // until the new ones come, those of a moment ago
    answers: kept,
    time: Date.now(),
  };
  // what is there of another view must not look like this one's
  if (isOther) for (const [id] of panels) byId(id).dataset.waiting = "";
  draw();
  finished();
  await Promise.all(
    panels.map(async ([id, title], index) => {
      const [outcome] = await settled[index];
      signal.throwIfAborted();
      state.drawn.answers.set(id, { title, ...outcome });
      drawPanel(id);
    }),
  );
  revealChannel();
}

/** Copy what the page says as text, for a report. */
async function copyReport() {
  const { trends, answers } = state.drawn;
  const answer = (id) => answers.get(id)?.value ?? null;
  const text = reportText({
    trends,
    comparison: answer("cards"),
    attention: answer("attention"),
    freshness: trends.organization ? null : answer("gaps"),
    time: state.drawn.time,
    href: here(),
  });
  try {
    await navigator.clipboard.writeText(text);
    report("Copied as text.", false);
  } catch {
    report("The browser does not let this page copy.", true);
  }
}

/** Compare topics and tones, which is not done by itself where it would read very much. */
async function compareTopics() {
  const { drawn } = state;
  const { view, range } = drawn;
  const { organization, period, compare } = view;
  const path = route("topic-changes", { organization, period, compare, ...range });
  const [outcome] = await Promise.allSettled([ask(path)]);
  if (state.drawn !== drawn) return;
  drawn.answers.set("changes", { title: "What changed", ...outcome });
  drawPanel("changes");
}

/** Ask for the findings after those that are there, and draw them all. */
async function moreFindings() {
  const { drawn } = state;
  const entry = drawn.answers.get("attention");
  const { findings, period, to } = entry.value;
  const { organization } = drawn.view;
  try {
    const path = { period, organization, to, limit: FINDINGS, offset: findings.length };
    const next = await ask(route("attention", path));
    entry.value = { ...entry.value, findings: [...findings, ...next.findings] };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    report(error.message, true);
  }
  if (state.drawn === drawn && drawn.answers.get("attention") === entry) drawPanel("attention");
}

/** Bring a channel's panel to where the person is looking, once: when it is opened. */
function revealChannel() {
  const { channel, organization } = state.drawn.view;
  const key = organization && channel !== null ? `${organization} ${channel}` : null;
  if (key && key !== state.revealed) byId("channel").scrollIntoView({ block: "nearest" });
  state.revealed = key;
}

/** What cannot be read keeps no panel from being drawn; before a run is started it is asked again. */
function none(error) {
  if (error instanceof Problem) return [];
  throw error;
}

const ranked = ({ sort, order, offset, compare }, days) => ({
  ...days,
  compare,
  sort: sort ?? DEFAULT_SORT,
  order,
  offset,
  limit: PAGE_SIZE,
});

const hasMean = ({ mean, period }) => mean && period === "daily";

/** A mean of seven days needs the six before the range. */
const weekBefore = ({ from }) => ({ from: addDays(from, -MEAN_REACH), to: addDays(from, -1) });

/** The end of a range, as far as it can be judged at once. */
function judged({ from, to, ...rest }, period) {
  const earliest = addPeriods(period, to, 1 - JUDGED);
  return { ...rest, from: from < earliest ? earliest : from, to };
}

// ---- the status of the whole page ----

function setStatus(status, text = null, button = null) {
  state.status = STATUSES.includes(status) ? status : "loading";
  document.body.dataset.state = state.status;
  const box = byId("notice");
  box.hidden = !text;
  update(box, text ? h("span", {}, text) : null, button);
}

const again = () => h("button", { class: "plain", type: "button", onclick: load }, "Try again");

function finished() {
  showProblems({});
  const { trends, time } = state.drawn;
  byId("updated").textContent = `As of ${moment(time)}; updated every 5 minutes.`;
  if (hasData(trends)) {
    setStatus("ready");
    return;
  }
  setStatus("empty", emptyText(trends));
  if (trends.period !== "daily") explainPaused(state.view);
}

const hasData = ({ days }) => days.some(({ state }) => state === "stored");

function emptyText(trends) {
  if (trends.organizationsTotal === 0) return "There are no organizations yet.";
  const name = trends.organization?.name ?? "any organization";
  const noun = NOUNS[trends.period];
  const isUnreadable = (day) => day.state === "unreadable" || day.organizationsUnreadable > 0;
  return trends.days.some(isUnreadable)
    ? `No data for ${name}, ${span(trends)}: what is stored for its ${noun}s cannot be read.`
    : `No data for ${name}, ${span(trends)}: nothing is stored for any ${noun} of it.`;
}

/** The DAGs of weeks and months are paused until they are wanted. */
async function explainPaused(view) {
  const { dagId } = facts.periods[view.period];
  const dag = await ask(`${base()}/api/v2/dags/${dagId}`).catch(() => ({}));
  if (!dag.is_paused || state.view !== view || state.status !== "empty") return;
  const text =
    `No ${NOUNS[view.period]} is stored: the DAG ${dagId} is paused. ` +
    `Unpause it in Airflow to have every ${NOUNS[view.period]} from now on; run or backfill it for earlier ones.`;
  setStatus("empty", text);
}

function broken(problem) {
  const isSame = sameView(state.view);
  if (problem.kind === "invalid") showProblems(problem.fields);
  if (problem.kind === "login") {
    const login = h("button", { class: "primary", type: "button", onclick: logIn }, "Log in");
    const stale = isSame ? ` ${asOf()} Refresh failed.` : "";
    setStatus(isSame ? "stale" : "refused", `${problem.message}${stale}`, login);
  } else if (problem.kind === "broken" && isSame) {
    setStatus("stale", `${asOf()} Refresh failed. ${problem.message}`, again());
  } else {
    setStatus(problem.kind === "broken" ? "broken" : "refused", problem.message, again());
  }
  if (state.status !== "stale") {
    state.drawn = null;
    byId("subtitle").textContent = "";
  }
  showBar();
}

const asOf = () => `Showing data from ${moment(state.drawn.time)}.`;

const logIn = () => leaveTo(`${base()}/api/v2/auth/login?next=${encodeURIComponent(here())}`);

// ---- drawing ----

/** Draw the charts, and all panels whose answers are there. */
function draw() {
  const { view, trends, before, marked, answers } = state.drawn;
  const { organization, period } = view;
  const days = { from: trends.from, to: trends.to };
  const { mayRun } = facts.periods[period];
  showHead();
  for (const id of answers.keys()) drawPanel(id);
  keepFocus(() => {
    drawChannel(byId("channel"), trends, organization ? view.channel : null, show);
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
      show,
      onGap: (date) =>
        mayRun && offer([{ date, organizations: organization ? [trends.organization] : null }]),
    });
  });
}

/** Draw one panel from its answer, or say why there is none. */
function drawPanel(id) {
  const { title, status, value, reason } = state.drawn.answers.get(id);
  const box = byId(id);
  delete box.dataset.waiting;
  keepFocus(() => {
    if (status === "fulfilled") DRAWERS[id](box, value, state.drawn);
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
  cards: (box, comparison, drawn) =>
    drawCards(box, comparison, drawn.trends, {
      csv: csvOf("comparison", drawn, { compare: drawn.view.compare }),
      copy: copyReport,
    }),
  attention: (box, answer, { view, trends, marked, ...drawn }) =>
    drawAttention(box, answer, {
      total: view.organization ? null : trends.organizationsTotal,
      marked,
      csv: csvOf("attention", { view, trends, ...drawn }, { from: answer.from, to: answer.to }),
      show,
      more: moreFindings,
    }),
  gaps: (box, answer, { view: { organization, period } }) => {
    const { mayRun } = facts.periods[period];
    const { runs, latest } = state;
    const today = isoDay(Date.now());
    if (organization) drawGaps(box, answer, { mayRun, runs, today, offer });
    else drawFreshness(box, answer, { mayRun, runs, latest, offer, show });
  },
  ranking: (box, answer, drawn) => {
    const { view, trends } = drawn;
    const csv = csvOf("overview", drawn, {
      sort: view.sort ?? DEFAULT_SORT,
      order: view.order,
      compare: view.compare,
    });
    drawRanking(box, answer, { view, csv, trends, show });
  },
  changes: (box, answer, drawn) =>
    drawChanges(box, answer, {
      csv: csvOf("topic-changes", drawn, { compare: drawn.view.compare }),
      compare: compareTopics,
      show,
    }),
  hotspots: (box, answer, drawn) =>
    drawHotspots(box, answer, {
      trends: drawn.trends,
      csv: csvOf("hotspots", drawn),
      show,
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

function offer(periods) {
  const { period } = state.view;
  offerRuns(periods, { period, ...facts.periods[period] }, report, async (runs) => {
    // what has been started is not offered again, even before Airflow lists it
    state.runs.push(...runs.filter((run) => run.period === state.view.period));
    if (state.drawn?.answers.has("gaps")) drawPanel("gaps");
    if (!runs.length) await load();
  });
}

/** Say how a run goes on. */
function report(text, wrong) {
  const box = byId("progress");
  box.hidden = !text;
  box.classList.toggle("problem", wrong);
  const close = () => {
    box.hidden = true;
  };
  update(
    box,
    h("span", {}, text),
    h("button", { class: "plain", type: "button", onclick: close }, "Close"),
  );
}

function showBar() {
  const { view, drawn, chosen, status } = state;
  const range = sameView(view) ? drawn.range : rangeOf(view, due(view.period));
  showControls(view, range, isoDay(Date.now()), lastDate(view.period, due(view.period)));
  const field = byId("organization");
  // not while a person types into it
  if (field.getAttribute("aria-expanded") === "true") return;
  // an answer to this view is of this organization, however the address writes its id
  const known = sameView(view)
    ? drawn.trends.organization
    : [drawn?.trends.organization, chosen].find((one) => one?.id === view.organization);
  const unknown = status === "loading" && isId(view.organization) ? "…" : view.organization;
  field.value = view.organization === null ? "" : (known?.name ?? unknown);
  byId("title").textContent = field.value || "Communication trends";
}

// ---- beginning ----

async function begin() {
  makeControls(show);
  makePicker(
    (organization) => show({ organization: organization.id }, organization),
    showBar,
    () => state.view.organization,
  );
  // how much of the page the header covers
  const root = document.documentElement;
  const header = document.querySelector("header");
  new ResizeObserver(() => root.style.setProperty("--header", `${header.offsetHeight}px`)).observe(
    header,
  );
  fitToPaper();
  addEventListener("themechange", () => state.drawn && draw());
  onBack((view) => {
    state.view = view;
    writeView(view, false);
    load();
  });
  addEventListener("pagehide", () => state.asking?.abort());
  const { dag, run } = readPlace();
  const kind = KINDS.find((one) => facts.periods[one].dagId === dag);
  if (dag && !kind) {
    const makers = KINDS.map((one) => facts.periods[one].dagId).join(", ");
    setStatus("refused", `This tab is only available on ${makers}. This is ${dag}.`);
    return;
  }
  if (kind && kind !== state.view.period) state.view = changed(state.view, { period: kind });
  writeView(state.view, false);
  if (run) await openRun(kind ?? "daily", run);
  setInterval(refresh, LOOK);
  addEventListener("visibilitychange", refresh);
  await load();
}

/** Ask again where it is time to; nothing is asked while the page is not visible. */
function refresh() {
  if (!document.hidden && Date.now() - state.askedAt > REFRESH - LOOK) load();
}

/** On a run's tab: show the period that the run is for, unless the address asks for another. */
async function openRun(kind, run) {
  try {
    const answer = await ask(route(`runs/${encodeURIComponent(run)}`, { period: kind }));
    state.run = { ...answer, dagId: facts.periods[kind].dagId };
    if (state.view.from) return;
    state.view = changed(state.view, { last: null, from: answer.date, to: answer.to });
    writeView(state.view, false);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    report(error.message, true);
  }
}

begin();
