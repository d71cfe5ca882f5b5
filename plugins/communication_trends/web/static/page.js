// The page: holds what is shown, asks for it, and lets each part draw its own.

import { formatView, parseView, rangeOf } from "./address.js";
import { ask, Problem, route, trendsPath } from "./ask.js";
import { drawCharts } from "./charts.js";
import { byId, h } from "./dom.js";
import { drawCards, drawGaps, drawHotspots, drawRanking, PAGE_SIZE } from "./panels.js";
import { makePicker } from "./picker.js";
import { DAG_ID, offerRun } from "./runs.js";
import { addDays, count, isoDay, longDay, shown } from "./words.js";

const REFRESH = 5 * 60_000;
const HOTSPOTS = 15;

const page = {
  /** from the address */
  view: parseView(""),
  /** the answers that were drawn last, with the view they are of */
  drawn: null,
  /** series that the person has hidden */
  hidden: new Set(),
  /** ends the asking that is under way */
  asking: null,
};

const range = () => rangeOf(page.view, addDays(isoDay(Date.now()), -1));

// ---- the address, Airflow's own too, so that it can be shared ----

const embedded = window.parent !== window;

function readAddress() {
  let search = location.search;
  try {
    // what the frame was made with, then what Airflow's address says
    if (embedded) search = `${search}&${window.parent.location.search.slice(1)}`;
  } catch {
    // another origin frames the page: its address is its own
  }
  page.view = parseView(search);
  return new URLSearchParams(location.search);
}

function writeAddress(push) {
  const kept = new URLSearchParams(location.search);
  const given = new URLSearchParams(formatView(page.view));
  for (const name of ["dag", "run"]) if (kept.has(name)) given.set(name, kept.get(name));
  const query = given.size ? `?${given}` : "";
  history[push ? "pushState" : "replaceState"](null, "", location.pathname + query);
  try {
    const { history: bar, location: place } = window.parent;
    if (embedded) bar.replaceState(bar.state, "", place.pathname + query);
  } catch {
    // another origin frames the page
  }
}

function show(changes) {
  page.view = { ...page.view, offset: 0, ...changes };
  writeAddress(true);
  return load();
}

// ---- asking ----

async function load() {
  page.asking?.abort();
  const mine = new AbortController();
  page.asking = mine;
  const main = byId("main");
  main.setAttribute("aria-busy", "true");
  showControls();
  try {
    const answers = await askAll(page.view, mine.signal);
    notice(null);
    draw({ view: page.view, ...answers });
    const time = new Date().toISOString().slice(11, 16);
    byId("updated").textContent = `Updated ${time} UTC; again every 5 minutes.`;
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    notice(error.message, { problem: true, retry: true });
  } finally {
    if (page.asking === mine) main.setAttribute("aria-busy", "false");
  }
}

async function askAll({ organization, offset }, signal) {
  const get = (path, parameters) => ask(route(path, parameters), { signal });
  const { from, to } = range();
  const [trends, periods, hotspots, overview] = await Promise.all([
    get(trendsPath(organization), { from, to }),
    get("periods", { organization, date: to }),
    get("hotspots", { organization, from, to, limit: HOTSPOTS }),
    organization ? null : get("overview", { from, to, limit: PAGE_SIZE, offset }),
  ]);
  return { trends, periods, hotspots, overview };
}

function notice(text, { problem = false, retry = false } = {}) {
  const box = byId("notice");
  const again = h("button", { class: "plain", type: "button", onclick: load }, "Try again");
  box.hidden = !text;
  box.classList.toggle("problem", problem);
  box.replaceChildren(...(text ? [h("span", {}, text)] : []), ...(retry ? [again] : []));
}

// ---- drawing ----

function draw(drawn) {
  page.drawn = drawn;
  const { trends, periods, hotspots, overview } = drawn;
  const { organization, offset } = drawn.view;
  const days = { from: trends.from, to: trends.to };
  const messages = `${shown(trends.totals.totalClassifications)} messages`;
  const name = trends.organization?.name;
  const whom = name ?? count(trends.organizationsTotal, "organization");
  showControls();
  document.title = `${name ?? "All organizations"} – Communication trends`;
  byId("subtitle").textContent =
    `${whom} · ${longDay(trends.from)} – ${longDay(trends.to)} · ${messages}`;
  drawCards(byId("cards"), periods, trends);
  drawGaps(byId("gaps"), trends, offer);
  drawRanking(byId("ranking"), overview, {
    offset,
    csv: route("overview", { ...days, limit: 200, format: "csv" }),
    show,
  });
  drawHotspots(byId("hotspots"), hotspots, {
    every: !organization,
    csv: route("hotspots", { organization, ...days, limit: 200, format: "csv" }),
    show,
  });
  drawCharts(byId("charts"), trends, {
    csv: route(trendsPath(organization), { ...days, format: "csv" }),
    hidden: page.hidden,
    onGap: offer,
  });
  const stored = `${trends.totals.days - trends.totals.missingDays} of ${trends.totals.days} days`;
  byId("status").textContent = `${name ?? "All organizations"}: ${stored}, ${messages}.`;
}

function offer(date) {
  offerRun(date, page.drawn.trends.organization ?? null, notice, load);
}

// ---- the controls ----

function showControls() {
  const { from, to } = range();
  const [first, last, organization] = ["from", "to", "organization"].map(byId);
  first.value = from;
  last.value = to;
  first.max = last.max = isoDay(Date.now());
  for (const button of byId("presets").children)
    button.setAttribute("aria-pressed", String(Number(button.dataset.days) === page.view.days));
  if (document.activeElement === organization) return;
  const drawn = page.drawn?.trends.organization;
  const slug = page.view.organization;
  organization.value = [drawn?.slug, drawn?.id].includes(slug) ? drawn.name : (slug ?? "");
}

function makeControls() {
  makePicker(({ slug }) => show({ organization: slug }), showControls);
  byId("presets").addEventListener("click", ({ target }) => {
    if (target.dataset.days) show({ days: Number(target.dataset.days), from: null, to: null });
  });
  for (const field of [byId("from"), byId("to")]) {
    field.addEventListener("change", () => {
      const [from, to] = [byId("from").value, byId("to").value];
      if (from && to) show({ days: null, from, to });
    });
  }
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
}

// ---- beginning ----

async function begin() {
  makeControls();
  addEventListener("themechange", () => page.drawn && draw(page.drawn));
  addEventListener("popstate", () => {
    readAddress();
    load();
  });
  const given = readAddress();
  if (given.has("dag") && given.get("dag") !== DAG_ID) {
    byId("controls").hidden = true;
    byId("main").hidden = true;
    notice(`Communication trends are made by the DAG ${DAG_ID}. This is ${given.get("dag")}.`);
    return;
  }
  if (given.has("run") && !page.view.from) await showDayOf(given.get("run"));
  setInterval(() => !document.hidden && byId("notice").hidden && load(), REFRESH);
  await load();
}

async function showDayOf(run) {
  try {
    const { date } = await ask(route(`runs/${encodeURIComponent(run)}`));
    page.view = { ...page.view, days: null, from: date, to: date };
    writeAddress(false);
  } catch (error) {
    notice(error.message, { problem: true });
  }
}

begin();
