// The page: holds what is shown, asks for it, and lets each part draw its own.

import { changed, isId } from "./address.js";
import { ask, Problem, route } from "./api.js";
import { makeControls } from "./controls.js";
import { byId } from "./dom.js";
import { draw, drawPanel, showBar } from "./draw.js";
import { PLURALS } from "./format.js";
import { addressOf, onBack, readFrame, writeView } from "./location.js";
import { KINDS } from "./periods.js";
import { makePicker } from "./picker.js";
import { fitToPaper } from "./picture.js";
import { reportText } from "./report.js";
import { askForAll, askForChanges, askForMore } from "./requests.js";
import { offerRuns } from "./runs.js";
import { due, isDrawn, pageConfig, state } from "./state.js";
import { asOf, broken, finished, report, setStatus } from "./status.js";

const REFRESH = 5 * 60_000;
/** How often to check for a refresh: timers stop while a computer sleeps. */
const LOOK = 15_000;

const actions = {
  navigate,
  load,
  offer,
  copy: copyReport,
  compare: compareTopics,
  more: moreFindings,
};

function navigate(changes, organization = null) {
  state.chosen = organization ?? state.chosen;
  state.view = changed(state.view, changes);
  writeView(state.view, true);
  return load();
}

async function load() {
  state.asking?.abort();
  const mine = new AbortController();
  state.asking = mine;
  state.askedAt = Date.now();
  byId("main").setAttribute("aria-busy", "true");
  if (!isDrawn(state.view)) {
    setStatus("loading");
    // the numbers of the view before are still there, dimmed: what is asked for is not
    byId("subtitle").textContent = "Loading…";
  } else if (state.askedAt - state.drawn.time > 2 * REFRESH) {
    setStatus("stale", `${asOf()} Refreshing…`);
  }
  showBar();
  try {
    await identify(mine.signal);
    await fill(mine.signal);
  } catch (error) {
    if (error.name === "AbortError" || state.asking !== mine) return;
    broken(
      error instanceof Problem ? error : new Problem(`Something went wrong on this page: ${error}`),
      load,
    );
    showBar();
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
 * What the page is about decides its status, and is drawn as soon as it is there; every other panel comes when its answer
 * comes, and has its own failure.
 */
async function fill(signal) {
  const { view } = state;
  const isOther = !isDrawn(view);
  const hasChanges = Boolean(!isOther && state.drawn.answers.get("changes")?.value);
  const { range, trends, before, marked, panels } = askForAll(view, signal, hasChanges);
  const answers = {
    ...panels,
    gaps: panels.gaps.then(([answer, runs, latest]) => {
      state.runs = runs;
      state.latest = latest;
      return answer;
    }),
  };
  // handle the others' failures while the first is awaited
  const settled = Object.entries(answers).map(([id, answer]) => [id, Promise.allSettled([answer])]);
  const [drawnTrends, earlier, drawnMarked] = await Promise.all([trends, before, marked]);
  signal.throwIfAborted();
  state.drawn = {
    view,
    range,
    trends: drawnTrends,
    before: earlier,
    marked: drawnMarked,
    // keep the old ones until the new ones arrive
    answers: isOther ? new Map() : state.drawn.answers,
    time: Date.now(),
  };
  // what is there of another view must not look like this one's
  if (isOther) for (const [id] of settled) byId(id).dataset.waiting = "";
  draw(actions);
  finished();
  await Promise.all(
    settled.map(async ([id, answer]) => {
      const [outcome] = await answer;
      signal.throwIfAborted();
      state.drawn.answers.set(id, outcome);
      drawPanel(id, actions);
    }),
  );
  revealChannel();
}

/** Copy what the page says as text, for a report. */
async function copyReport() {
  const { view, range, trends, answers } = state.drawn;
  const answer = (id) => answers.get(id)?.value ?? null;
  const text = reportText({
    trends,
    comparison: answer("cards"),
    attention: answer("attention"),
    freshness: trends.organization ? null : answer("gaps"),
    time: state.drawn.time,
    // of the same days whenever it is opened, and of what is on the page while another view is asked for
    href: addressOf({ ...view, last: null, ...range }),
  });
  try {
    await navigator.clipboard.writeText(text);
    report("Copied as text.", false);
  } catch {
    report("The browser does not let this page copy.", true);
  }
}

/** Compare topics and tones where that is not done by itself. */
async function compareTopics() {
  const { drawn } = state;
  const [outcome] = await Promise.allSettled([askForChanges(drawn)]);
  if (state.drawn !== drawn) return;
  drawn.answers.set("changes", outcome);
  drawPanel("changes", actions);
}

/** Ask for the findings after those that are there, and draw them all. */
async function moreFindings() {
  const { drawn } = state;
  const entry = drawn.answers.get("attention");
  const { findings } = entry.value;
  try {
    const next = await askForMore(entry.value, drawn.view.organization);
    entry.value = { ...entry.value, findings: [...findings, ...next.findings] };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    report(error.message, true);
  }
  if (state.drawn === drawn && drawn.answers.get("attention") === entry)
    drawPanel("attention", actions);
}

function offer(periods) {
  const { period } = state.view;
  offerRuns(periods, { period, ...pageConfig.periods[period] }, report, async (runs) => {
    // what has been started is not offered again, even before Airflow lists it
    state.runs.push(...runs.filter((run) => run.period === state.view.period));
    if (state.drawn?.answers.has("gaps")) drawPanel("gaps", actions);
    if (!runs.length) await load();
  });
}

/** Bring a channel's panel to where the person is looking, once: when it is opened. */
function revealChannel() {
  const { channel, organization } = state.drawn.view;
  const key = organization && channel !== null ? `${organization} ${channel}` : null;
  if (key && key !== state.revealed) byId("channel").scrollIntoView({ block: "nearest" });
  state.revealed = key;
}

async function begin() {
  Object.assign(PLURALS, pageConfig.plurals);
  byId("version").textContent = pageConfig.version;
  makeControls(navigate);
  makePicker(
    (organization) => navigate({ organization: organization.id }, organization),
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
  addEventListener("themechange", () => state.drawn && draw(actions));
  onBack((view) => {
    state.view = view;
    writeView(view, false);
    load();
  });
  addEventListener("pagehide", () => state.asking?.abort());
  const { dag, run } = readFrame();
  const kind = KINDS.find((one) => pageConfig.periods[one].dagId === dag);
  if (dag && !kind) {
    const makers = KINDS.map((one) => pageConfig.periods[one].dagId).join(", ");
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
    state.run = { ...answer, dagId: pageConfig.periods[kind].dagId };
    if (state.view.from) return;
    state.view = changed(state.view, { last: null, from: answer.date, to: answer.to });
    writeView(state.view, false);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    report(error.message, true);
  }
}

begin();
