// The page. Text from the database is only ever set as textContent, or escaped for Plotly, which reads some markup.

const DAG_ID = "communication_trends_daily";
const DAY = 86_400_000;
const REFRESH = 5 * 60_000;
const PAGE = 25;
const MAX_SERIES = 12;

// Worst first. Okabe and Ito's colours: told apart with any colour vision.
const TOPICS = [
  ["escalation", "#d55e00"], ["complaint", "#e69f00"], ["technical", "#0072b2"], ["request", "#56b4e9"],
  ["status_update", "#009e73"], ["scheduling", "#cc79a7"], ["general", "#9aa3b2"],
];
const TONES = [
  ["angry", "#d55e00"], ["frustrated", "#e69f00"], ["tense", "#f0d774"], ["neutral", "#b4bcc9"], ["positive", "#4a9bd1"],
];
const SEVERITIES = [["critical", "#a32900"], ["high", "#ee8137"], ["medium", "#f6c58f"]];
const DARK = { "#b4bcc9": "#6d788a", "#9aa3b2": "#768294", "#a32900": "#e0521a", "#ee8137": "#f29b5c", "#f6c58f": "#8f6a45" };
const OTHERS = ["#7a6fb0", "#8c6d46", "#5f8f8b", "#b0718f", "#6b7d3a"];

const base = location.pathname.slice(0, location.pathname.indexOf("/communication-trends/"));
const api = `${base}/communication-trends/api/v1`;
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en");
const days = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short" });
const longDays = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric", weekday: "short" });
const short = (date) => days.format(new Date(`${date}T00:00Z`));
const long = (date) => longDays.format(new Date(`${date}T00:00Z`));
const iso = (moment) => new Date(moment).toISOString().slice(0, 10);
const yesterday = () => iso(Date.now() - DAY);
const shown = (value) => (value === null || value === undefined ? "–" : number.format(value));
const label = (name) => (name === "" ? "(no topic)" : name.replaceAll("_", " "));
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => document.documentElement.dataset.theme === "dark";

function h(tag, attributes, ...children) {
  const svg = ["svg", "rect", "title"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "color") node.style.background = value;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// ---- what is shown, kept in the URL, in Airflow's own too, so that it can be shared ----

const view = { organization: null, days: 30, from: null, to: null, offset: 0 };
const embedded = window.parent !== window;

function readUrl() {
  let search = location.search;
  try {
    // what the frame was made with, then what Airflow's address says
    if (embedded) search = `${search}&${window.parent.location.search.slice(1)}`;
  } catch {
    // another origin frames the page: its address is its own
  }
  const given = new URLSearchParams(search);
  const date = (name) => (/^\d{4}-\d\d-\d\d$/.test(given.get(name) ?? "") ? given.get(name) : null);
  Object.assign(view, { organization: given.get("organization") || null, from: date("from"), to: date("to"), offset: Number(given.get("offset")) || 0 });
  view.days = Number(given.get("days")) || (view.from && view.to ? null : 30);
  return { dag: given.get("dag"), run: given.get("run") };
}

function writeUrl(push) {
  const given = new URLSearchParams(location.search);
  const set = (name, value) => (value ? given.set(name, value) : given.delete(name));
  set("organization", view.organization);
  set("days", view.days);
  set("from", view.days ? null : view.from);
  set("to", view.days ? null : view.to);
  set("offset", view.offset);
  const query = given.size ? `?${given}` : "";
  history[push ? "pushState" : "replaceState"](null, "", location.pathname + query);
  try {
    if (embedded) window.parent.history.replaceState(window.parent.history.state, "", window.parent.location.pathname + query);
  } catch {
    // another origin frames the page
  }
}

function range() {
  if (!view.days) return { from: view.from, to: view.to };
  return { from: iso(Date.parse(yesterday()) - (view.days - 1) * DAY), to: yesterday() };
}

function show(changes, push = true) {
  Object.assign(view, { offset: 0 }, changes);
  writeUrl(push);
  return load();
}

// ---- asking ----

class Problem extends Error {}

async function ask(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("Airflow's API server does not answer.");
  }
  if (answer.ok) return answer.json();
  if (answer.status === 401) throw new Problem("Your session has ended. Log in to Airflow again.");
  const body = await answer.json().catch(() => ({}));
  const detail = Array.isArray(body.detail) ? body.detail.map((entry) => entry.msg).join("; ") : body.detail;
  throw new Problem(typeof detail === "string" ? detail : `Airflow answered ${answer.status}.`);
}

const query = (parameters) => new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined));
const route = (path, parameters) => `${api}/${path}?${query(parameters)}`;

let asking = null;

async function load() {
  asking?.abort();
  const mine = (asking = new AbortController());
  const get = (path, parameters) => ask(route(path, parameters), { signal: mine.signal });
  const { from, to } = range();
  const one = view.organization;
  $("main").setAttribute("aria-busy", "true");
  showControls();
  try {
    const [trends, periods, hotspots, overview] = await Promise.all([
      get(one ? `organizations/${encodeURIComponent(one)}/trends` : "trends", { from, to }),
      get("periods", { organization: one, date: to }),
      get("hotspots", { organization: one, from, to, limit: 15 }),
      one ? null : get("overview", { from, to, limit: PAGE, offset: view.offset }),
    ]);
    notice(null);
    draw({ trends, periods, hotspots, overview });
    $("updated").textContent = `Updated ${new Date().toISOString().slice(11, 16)} UTC; again every 5 minutes.`;
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    notice(error.message, { problem: true, retry: true });
  } finally {
    if (asking === mine) $("main").setAttribute("aria-busy", "false");
  }
}

function notice(text, { problem = false, retry = false } = {}) {
  const box = $("notice");
  box.hidden = !text;
  box.classList.toggle("problem", problem);
  box.replaceChildren(...(text ? [h("span", {}, text)] : []), ...(retry ? [h("button", { class: "plain", type: "button", onclick: () => load() }, "Try again")] : []));
}

const say = (text) => ($("status").textContent = text);

// ---- drawing ----

let drawn = null;
let organizationName = null;

function draw(data) {
  drawn = data;
  const { trends, periods, hotspots, overview } = data;
  organizationName = trends.organization?.name ?? null;
  showControls();
  const stored = trends.days.filter((day) => !day.missing);
  const counted = `${shown(trends.totals.totalClassifications)} messages`;
  $("subtitle").textContent = `${organizationName ?? `${number.format(trends.organizationsTotal)} organizations`} · ${long(trends.from)} – ${long(trends.to)} · ${counted}`;
  document.title = `${organizationName ?? "All organizations"} – Communication trends`;
  drawCards(periods, trends);
  drawGaps(trends);
  drawRanking(overview);
  drawHotspots(hotspots);
  const csv = route(view.organization ? `organizations/${encodeURIComponent(view.organization)}/trends` : "trends", { ...range(), format: "csv" });
  const charts = $("charts");
  if (!charts.childElementCount) {
    for (const [id, title, wide] of [["topics", "Topics", true], ["tones", "Tone"], ["escalations", "Escalations by severity"], ["confidence", "Average confidence"]]) charts.append(makeChart(id, title, wide));
  }
  for (const link of charts.querySelectorAll(".download")) link.href = csv;
  drawSeries("topics", trends, (day) => day.topics, TOPICS, { stack: true, about: "Messages a day, worst topics at the bottom." });
  drawSeries("tones", trends, (day) => day.tones, TONES, { stack: true, percent: true, about: "Share of the messages that have a tone." });
  drawSeries("escalations", trends, (day) => day.escalations, SEVERITIES, { bars: true, about: "Alerts a day." });
  drawConfidence(trends);
  say(`${organizationName ?? "All organizations"}: ${stored.length} of ${trends.days.length} days, ${counted}.`);
}

function drawCards(periods, trends) {
  const { current, previous } = periods;
  const span = ({ from, to }) => (from === to ? short(from) : `${short(from)} – ${short(to)}`);
  const against = current.days ? `${span(current)} against ${span(previous)}` : "No day of this week is over yet.";
  const card = (id, name, unit, worse) => {
    const { current: value, changePercent: change } = periods[id];
    const moved = change === null ? null : Math.abs(change) < 0.05 ? "unchanged" : `${change > 0 ? "▲" : "▼"} ${number.format(Math.abs(change))} %`;
    const mood = !change || !worse ? "" : Math.sign(change) === worse ? "bad" : "good";
    const missing = current.missingDays + previous.missingDays;
    const why = missing ? `${missing} ${missing === 1 ? "day" : "days"} missing` : "fewer than three days";
    return h("article", { class: "panel card", id: `card-${id}` },
      h("div", { class: "name" }, h("span", {}, name), periods.incomplete ? h("span", { class: "badge", title: why }, "incomplete") : null),
      h("div", { class: "value" }, shown(value), value === null ? null : h("small", {}, unit)),
      h("div", { class: `change ${moved ? mood : "none"}` }, moved ?? "nothing to compare with"),
      h("div", { class: "against" }, periods.incomplete && current.days ? `${against} (${why})` : against));
  };
  $("cards").replaceChildren(
    card("totalClassifications", "Messages in the week", "", 0),
    card("escalations", "Escalation alerts", "", 1),
    card("riskScore", "Risk", " % complaints and escalations", 1),
    card("avgConfidence", "Average confidence", " %", -1));
  // the range's own mean, beside the week's
  const confidence = $("card-avgConfidence").querySelector(".against");
  confidence.append(h("br"), `${shown(trends.totals.avgConfidence)} % over the whole range`);
}

function drawGaps(trends) {
  const missing = trends.days.filter((day) => day.missing).map((day) => day.date).reverse();
  const box = $("gaps");
  box.hidden = !missing.length;
  if (!missing.length) return;
  const count = `${missing.length} ${missing.length === 1 ? "day" : "days"} without a trend`;
  box.replaceChildren(
    h("h2", { id: "gaps-title" }, h("i", { class: "hatched", "aria-hidden": "true" }), count),
    ...missing.slice(0, 8).map((date) =>
      h("button", { type: "button", "data-date": date, "aria-label": `Run the DAG for ${long(date)}`, onclick: () => offer(date) },
        `${short(date)} `, h("span", { class: "do" }, "Run"))),
    ...(missing.length > 8 ? [h("span", { class: "more" }, `and ${missing.length - 8} more; a backfill makes them in one go`)] : []));
}

const LEVELS = [[60, "high"], [40, "elevated"], [20, "some"], [0, "low"]];

function risk(score) {
  if (score === null) return h("span", { class: "risk low" }, "–");
  const [, level] = LEVELS.find(([from]) => score >= from);
  return h("span", { class: `risk ${level}` }, `${score} %`, h("small", {}, level));
}

function spark(entry) {
  const total = entry.dailyClassifications;
  const most = Math.max(1, ...total);
  const step = 180 / total.length;
  const bars = total.flatMap((value, index) => {
    const bar = (name, size, from) => h("rect", { class: name, x: index * step, width: Math.max(step * 0.82, 0.6), y: 30 - from - size, height: size });
    if (value === null) return [bar("none", 1.5, 0)];
    const risky = (entry.dailyRiskyClassifications[index] / most) * 28;
    return [bar("all", (value / most) * 28, 0), bar("risky", risky, 0)];
  });
  return h("svg", { class: "spark", viewBox: "0 0 180 30", preserveAspectRatio: "none", role: "img", "aria-label": `Messages a day, complaints and escalations marked: at most ${number.format(most)} a day` }, ...bars);
}

function head(id, title, about, download) {
  return h("div", { class: "panel-head" }, h("h2", { id }, title), h("span", { class: "about" }, about),
    h("a", { class: "download", href: download, download: true, "aria-label": `${title} as CSV` }, "CSV"));
}

function drawRanking(overview) {
  const box = $("ranking");
  box.hidden = !overview;
  if (!overview) return;
  const title = head("ranking-title", "Organizations by risk", "Share of complaints and escalations over the range; those with few messages come last.", route("overview", { ...range(), limit: 200, format: "csv" }));
  if (!overview.totalEntries) {
    box.replaceChildren(title, h("p", { class: "empty" }, "There are no organizations yet."));
    return;
  }
  const rows = overview.organizations.map((entry) =>
    h("tr", {},
      h("td", { class: "number optional" }, entry.rank),
      h("td", {}, h("button", { class: "link wrap", type: "button", onclick: () => show({ organization: entry.organization.slug }) }, entry.organization.name)),
      h("td", {}, risk(entry.riskScore)),
      h("td", {}, spark(entry)),
      h("td", { class: "number optional" }, shown(entry.totalClassifications)),
      h("td", { class: "number" }, shown(entry.escalations), entry.criticalEscalations ? h("small", {}, ` (${number.format(entry.criticalEscalations)} critical)`) : null),
      h("td", { class: "number optional" }, shown(entry.hotspotCount)),
      h("td", { class: "number optional" }, entry.avgConfidence === null ? "–" : `${entry.avgConfidence} %`),
      h("td", { class: "number optional" }, `${entry.daysStored}/${entry.dailyClassifications.length}`)));
  const columns = [["#", "number optional"], ["Organization", ""], ["Risk", ""], ["Messages a day", ""], ["Messages", "number optional"], ["Alerts", "number"], ["Hot channels", "number optional"], ["Confidence", "number optional"], ["Days", "number optional"]];
  const last = Math.min(view.offset + PAGE, overview.totalEntries);
  const turn = (text, offset, possible) => h("button", { class: "plain", type: "button", disabled: !possible, onclick: () => show({ offset }) }, text);
  box.replaceChildren(title,
    h("div", { class: "scroll-x" }, h("table", {}, h("thead", {}, h("tr", {}, columns.map(([text, name]) => h("th", { scope: "col", class: name }, text)))), h("tbody", {}, rows))),
    ...(overview.totalEntries > PAGE ? [h("div", { class: "pager" }, `${number.format(view.offset + 1)}–${number.format(last)} of ${number.format(overview.totalEntries)}`,
      turn("Previous", Math.max(0, view.offset - PAGE), view.offset > 0), turn("Next", view.offset + PAGE, last < overview.totalEntries))] : []));
}

function drawHotspots(data) {
  const title = head("hotspots-title", "Channel hotspots", "Channels in which complaints and escalations pile up, the riskiest first.", route("hotspots", { organization: view.organization, ...range(), limit: 200, format: "csv" }));
  if (!data.hotspots.length) {
    $("hotspots").replaceChildren(title, h("p", { class: "empty" }, "No channel ran hot in this range."));
    return;
  }
  const every = !view.organization;
  const columns = [["Channel", ""], ...(every ? [["Organization", ""]] : []), ["Risk", ""], ["Worst day", "number"], ["Hot days", "number"], ["Messages", "number optional"], ["Last hot day", "optional"]];
  $("hotspots").replaceChildren(title, h("table", {},
    h("thead", {}, h("tr", {}, columns.map(([text, name]) => h("th", { scope: "col", class: name }, text)))),
    h("tbody", {}, data.hotspots.map((entry) => h("tr", {},
      h("td", {}, h("span", { class: "wrap" }, entry.channelId || "(empty id)")),
      every ? h("td", {}, h("button", { class: "link wrap", type: "button", onclick: () => show({ organization: entry.organization.slug }) }, entry.organization.name)) : null,
      h("td", {}, risk(entry.riskScore)),
      h("td", { class: "number" }, `${entry.peakRiskScore} %`),
      h("td", { class: "number" }, shown(entry.daysHot)),
      h("td", { class: "number optional" }, shown(entry.messageCount)),
      h("td", { class: "optional" }, short(entry.lastHotDay)))))),
    ...(data.totalEntries > data.hotspots.length ? [h("p", { class: "pager" }, `The first ${data.hotspots.length} of ${number.format(data.totalEntries)}; the CSV has more.`)] : []));
}

// ---- charts ----

const hiddenSeries = new Set();

function makeChart(id, title, wide) {
  return h("figure", { class: wide ? "panel wide" : "panel", "aria-labelledby": `${id}-title` },
    h("div", { class: "panel-head" }, h("h2", { id: `${id}-title` }, title), h("span", { class: "about", id: `${id}-about` }),
      h("a", { class: "download", href: "#", download: true, "aria-label": `${title} as CSV` }, "CSV")),
    h("div", { class: "legend", id: `${id}-legend`, role: "group", "aria-label": `${title}: series` }),
    h("div", { class: "plot", id, role: "img" }),
    h("details", {}, h("summary", {}, "Data table"), h("div", { class: "scroll", id: `${id}-table`, tabindex: "0", role: "region", "aria-label": `${title}: data` })));
}

/** Runs of days that are stored, so that an area ends at a gap instead of crossing it. */
function segments(trendDays) {
  const runs = [];
  trendDays.forEach((day, index) => {
    if (day.missing) return;
    if (index && !trendDays[index - 1].missing) runs.at(-1).push(day);
    else runs.push([day]);
  });
  return runs;
}

function seriesOf(trendDays, values, known) {
  const totals = new Map();
  for (const day of trendDays) for (const [name, count] of Object.entries(values(day) ?? {})) totals.set(name, (totals.get(name) ?? 0) + count);
  const others = [...totals.keys()].filter((name) => !known.some(([one]) => one === name)).sort((a, b) => totals.get(b) - totals.get(a));
  const series = [
    ...known.filter(([name]) => totals.has(name)).map(([name, tint]) => ({ name, text: label(name), tint, of: (day) => values(day)[name] ?? 0 })),
    ...others.slice(0, MAX_SERIES - known.length).map((name, index) => ({ name, text: label(name), tint: OTHERS[index % OTHERS.length], of: (day) => values(day)[name] ?? 0 })),
  ];
  const rest = others.slice(MAX_SERIES - known.length);
  if (rest.length) series.push({ name: "\u0000rest", text: `${rest.length} more`, tint: "#888888", of: (day) => rest.reduce((sum, name) => sum + (values(day)[name] ?? 0), 0) });
  return series.map((one) => ({ ...one, total: trendDays.reduce((sum, day) => sum + (day.missing ? 0 : one.of(day)), 0), tint: (isDark() && DARK[one.tint]) || one.tint }));
}

function layout(changes) {
  const text = color("--muted");
  const axis = { gridcolor: color("--grid"), linecolor: color("--line"), zeroline: false, fixedrange: true, automargin: true, tickfont: { color: text, size: 11 } };
  const { from, to } = drawn.trends;
  const edge = (date, hours) => new Date(Date.parse(date) + hours * 3_600_000).toISOString().slice(0, 16).replace("T", " ");
  return {
    margin: { l: 44, r: 8, t: 9, b: 26 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, barmode: "stack", bargap: 0.25,
    hovermode: "x unified", dragmode: false, font: { family: getComputedStyle(document.body).fontFamily, color: color("--text"), size: 12 },
    hoverlabel: { bgcolor: color("--panel"), bordercolor: color("--line"), font: { color: color("--text"), size: 12 } },
    xaxis: { ...axis, type: "date", range: [edge(from, -12), edge(to, 12)], showgrid: false, tickformat: "%-d %b", hoverformat: "%a %-d %b %Y", nticks: 8, ...(from === to ? { tickvals: [from] } : {}) },
    yaxis: { ...axis, rangemode: "tozero", tickformat: "~s", nticks: 5, ...changes?.yaxis },
    yaxis2: { overlaying: "y", range: [0, 1], visible: false, fixedrange: true },
  };
}

function gapTrace(trendDays) {
  const missing = trendDays.filter((day) => day.missing).map((day) => day.date);
  return { type: "bar", name: "No trend", x: missing, y: missing.map(() => 1), width: missing.map(() => DAY), yaxis: "y2", meta: "gap",
    marker: { color: "rgba(0,0,0,0)", line: { width: 0 }, pattern: { shape: "/", size: 6, solidity: 0.25, fgcolor: color("--hatch"), bgcolor: "rgba(0,0,0,0)" } },
    hovertemplate: view.organization || !missing.length ? "none stored – click to run" : "none stored" };
}

function plot(id, traces, changes) {
  const box = $(id);
  if (!globalThis.Plotly) {
    box.replaceChildren(h("p", { class: "empty" }, "Charts need the Python package plotly on Airflow's API server. The data table has the numbers."));
    return;
  }
  const fresh = !box.classList.contains("js-plotly-plot");
  Plotly.react(box, traces, layout(changes), { displayModeBar: false, responsive: true, doubleClick: false });
  if (fresh) box.on("plotly_click", ({ points }) => points.filter((point) => point.data.meta === "gap").slice(0, 1).forEach((point) => offer(String(point.x).slice(0, 10))));
}

function table(id, columns, trendDays, cells) {
  $(`${id}-table`).replaceChildren(h("table", {},
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Day"), columns.map((text) => h("th", { scope: "col", class: "number" }, text)))),
    h("tbody", {}, [...trendDays].reverse().map((day) => h("tr", {}, h("th", { scope: "row" }, short(day.date)),
      day.missing ? h("td", { class: "number", colspan: columns.length || 1 }, "no trend stored") : cells(day).map((value) => h("td", { class: "number" }, shown(value))))))));
}

function drawSeries(id, trends, values, known, { stack = false, bars = false, percent = false, about }) {
  const series = seriesOf(trends.days, values, known);
  $(`${id}-about`).textContent = about;
  const visible = series.filter((one) => !hiddenSeries.has(`${id} ${one.name}`));
  const key = (one) => h("button", { type: "button", "aria-pressed": String(visible.includes(one)), onclick: () => {
    const name = `${id} ${one.name}`;
    if (!hiddenSeries.delete(name)) hiddenSeries.add(name);
    drawSeries(id, drawn.trends, values, known, { stack, bars, percent, about });
    [...$(`${id}-legend`).querySelectorAll("button")].at(series.indexOf(one))?.focus();
  } }, h("i", { color: one.tint }), `${one.text} `, h("small", {}, shown(one.total)));
  const gaps = trends.days.some((day) => day.missing);
  $(`${id}-legend`).replaceChildren(...series.map(key), ...(gaps ? [h("span", { class: "key" }, h("i", { class: "hatched" }), "no trend")] : []));
  const traces = [];
  segments(trends.days).forEach((run, index) => {
    const whole = (day) => visible.reduce((sum, one) => sum + one.of(day), 0) || 1;
    for (const one of visible) {
      const counts = run.map(one.of);
      const trace = { name: escaped(one.text), meta: one.name, x: run.map((day) => day.date), customdata: counts,
        y: percent ? run.map((day, at) => (100 * counts[at]) / whole(day)) : counts,
        hovertemplate: percent ? "%{y:.0f} % (%{customdata:,})" : "%{y:,}" };
      // a lone day has no width as an area
      if (bars || run.length === 1) traces.push({ ...trace, type: "bar", width: run.map(() => (bars ? 0.72 : 0.3) * DAY), marker: { color: one.tint, line: { width: 0 } } });
      else if (stack) traces.push({ ...trace, type: "scatter", mode: "lines", stackgroup: `run${index}`, line: { width: 0.75, color: color("--panel"), shape: "linear" }, fillcolor: one.tint });
    }
  });
  traces.push(gapTrace(trends.days));
  plot(id, traces, { yaxis: percent ? { range: [0, 100], tickvals: [0, 25, 50, 75, 100], ticksuffix: " %", tickformat: "" } : series.some((one) => one.total) ? {} : { range: [0, 1], tickvals: [0] } });
  const sums = series.map((one) => `${one.text} ${shown(one.total)}`).join(", ");
  $(id).setAttribute("aria-label", `${$(`${id}-title`).textContent}, ${short(trends.from)} to ${short(trends.to)}: ${sums || "nothing"}. ${trends.totals.missingDays} days without a trend.`);
  table(id, series.map((one) => one.text), trends.days, (day) => series.map((one) => one.of(day)));
}

function drawConfidence(trends) {
  const tint = isDark() ? "#6cb2f5" : "#0b5cad";
  $("confidence-about").textContent = "How sure the classifier was, 0 to 100.";
  $("confidence-legend").replaceChildren(h("span", { class: "key" }, h("i", { color: tint }), `average ${shown(trends.totals.avgConfidence)} %`));
  const values = trends.days.map((day) => day.avgConfidence);
  plot("confidence", [
    { type: "scatter", mode: trends.days.length > 45 ? "lines" : "lines+markers", name: "Average confidence", meta: "confidence", x: trends.days.map((day) => day.date), y: values, connectgaps: false, line: { color: tint, width: 2 }, marker: { color: tint, size: 5 }, hovertemplate: "%{y} %" },
    gapTrace(trends.days),
  ], { yaxis: { range: [0, 100], tickvals: [0, 25, 50, 75, 100], ticksuffix: " %", tickformat: "" } });
  $("confidence").setAttribute("aria-label", `Average confidence: ${shown(trends.totals.avgConfidence)} percent over the range.`);
  table("confidence", ["Average confidence, %"], trends.days, (day) => [day.avgConfidence]);
}

// ---- the controls ----

function showControls() {
  const { from, to } = range();
  $("from").value = from;
  $("to").value = to;
  $("from").max = $("to").max = iso(Date.now());
  for (const button of $("presets").children) button.setAttribute("aria-pressed", String(Number(button.dataset.days) === view.days));
  if (document.activeElement !== $("organization")) $("organization").value = view.organization ? (organizationName ?? view.organization) : "";
}

$("presets").addEventListener("click", ({ target }) => {
  if (target.dataset.days) show({ days: Number(target.dataset.days), from: null, to: null });
});
for (const id of ["from", "to"]) {
  $(id).addEventListener("change", () => {
    if ($("from").value && $("to").value) show({ days: null, from: $("from").value, to: $("to").value });
  });
}
$("controls").addEventListener("submit", (event) => event.preventDefault());

const picker = { input: $("organization"), list: $("organizations"), options: [], active: -1, timer: 0 };

async function openPicker(search) {
  const found = await ask(route("organizations", { search, limit: 20 })).catch((error) => ({ problem: error.message }));
  if (document.activeElement !== picker.input) return;
  const every = search ? [] : [{ slug: null, name: "All organizations" }];
  picker.options = [...every, ...(found.organizations ?? [])];
  picker.active = picker.options.length ? 0 : -1;
  const more = (found.totalEntries ?? 0) - (found.organizations?.length ?? 0);
  const hint = found.problem ?? (picker.options.length ? (more > 0 ? `${number.format(more)} more: type to search` : null) : "No organization has this name");
  picker.list.replaceChildren(
    ...picker.options.map((one, index) => h("li", { role: "option", id: `option-${index}`, onpointerdown: (event) => { event.preventDefault(); choose(index); } }, h("span", {}, one.name), one.slug ? h("small", {}, one.slug) : null)),
    ...(hint ? [h("li", { class: "hint", role: "option", "aria-disabled": "true", "aria-selected": "false" }, hint)] : []));
  picker.list.hidden = false;
  picker.input.setAttribute("aria-expanded", "true");
  markActive();
}

function markActive() {
  picker.options.forEach((_, index) => $(`option-${index}`).setAttribute("aria-selected", String(index === picker.active)));
  if (picker.active < 0) picker.input.removeAttribute("aria-activedescendant");
  else {
    picker.input.setAttribute("aria-activedescendant", `option-${picker.active}`);
    $(`option-${picker.active}`).scrollIntoView({ block: "nearest" });
  }
}

function closePicker() {
  picker.list.hidden = true;
  picker.input.setAttribute("aria-expanded", "false");
  picker.input.removeAttribute("aria-activedescendant");
}

function choose(index) {
  const one = picker.options[index];
  if (!one) return;
  organizationName = one.slug ? one.name : null;
  closePicker();
  picker.input.value = one.slug ? one.name : "";
  picker.input.blur();
  show({ organization: one.slug });
}

picker.input.addEventListener("focus", () => { picker.input.select(); openPicker(""); });
picker.input.addEventListener("click", () => { if (picker.list.hidden) openPicker(""); });
picker.input.addEventListener("blur", () => { closePicker(); showControls(); });
picker.input.addEventListener("input", () => {
  clearTimeout(picker.timer);
  picker.timer = setTimeout(() => openPicker(picker.input.value.trim()), 150);
});
picker.input.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && !picker.list.hidden) {
    event.preventDefault();
    const count = picker.options.length;
    picker.active = count ? (picker.active + step + count) % count : -1;
    markActive();
  } else if (step) openPicker("");
  else if (event.key === "Enter" && !picker.list.hidden) {
    event.preventDefault();
    choose(picker.active);
  } else if (event.key === "Escape") closePicker();
});

// ---- filling a gap: Airflow's own REST API, with the permissions of whoever is logged in ----

let offered = null;

function offer(date) {
  offered = date;
  const whom = organizationName ?? "all organizations";
  $("dialog-text").textContent = `Airflow runs ${DAG_ID} for ${long(date)} and ${whom}. A day whose messages have been purged stays as empty as they are.`;
  $("dialog-problem").hidden = true;
  $("dialog-run").disabled = false;
  $("dialog").showModal();
  $("dialog-run").focus();
}

$("dialog-run").addEventListener("click", async () => {
  $("dialog-run").disabled = true;
  const date = offered;
  const organizations = drawn.trends.organization ? [drawn.trends.organization.id] : null;
  const runs = `${base}/api/v2/dags/${DAG_ID}/dagRuns`;
  try {
    const run = await ask(runs, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ logical_date: null, conf: { date, organizations } }) });
    $("dialog").close();
    await follow(`${runs}/${encodeURIComponent(run.dag_run_id)}`, date);
  } catch (error) {
    const text = error instanceof Problem ? error.message : String(error);
    $("dialog-problem").textContent = text === "Forbidden" ? "You may not trigger this DAG. Ask somebody who may." : text;
    $("dialog-problem").hidden = false;
    $("dialog-run").disabled = false;
  }
});

async function follow(run, date) {
  const dag = await ask(`${base}/api/v2/dags/${DAG_ID}`).catch(() => ({}));
  const paused = dag.is_paused ? " The DAG is paused: the run waits until somebody unpauses it." : "";
  notice(`The run for ${long(date)} is queued.${paused}`);
  for (let wait = 1000; ; wait = Math.min(wait * 1.3, 10_000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    let state;
    try {
      ({ state } = await ask(run));
    } catch (error) {
      notice(`The run for ${long(date)} was started, but its state cannot be read. ${error.message}`, { problem: true });
      return;
    }
    if (state === "success" || state === "failed") {
      await load();
      if (state === "success") notice(`The run for ${long(date)} has succeeded.`);
      else notice(`The run for ${long(date)} has failed: the log of its task summarize says why.`, { problem: true });
      return;
    }
    if (state === "running") notice(`The run for ${long(date)} is running.`);
  }
}

// ---- beginning ----

addEventListener("themechange", () => drawn && draw(drawn));
addEventListener("popstate", () => { readUrl(); organizationName = null; load(); });
setInterval(() => { if (!document.hidden && $("notice").hidden) load(); }, REFRESH);

async function begin() {
  const { dag, run } = readUrl();
  if (dag && dag !== DAG_ID) {
    $("controls").hidden = true;
    $("main").hidden = true;
    notice(`Communication trends are made by the DAG ${DAG_ID}. This is ${dag}.`);
    return;
  }
  if (run && !view.from) {
    try {
      const { date } = await ask(`${api}/runs/${encodeURIComponent(run)}`);
      Object.assign(view, { days: null, from: date, to: date });
      writeUrl(false);
    } catch (error) {
      notice(error.message, { problem: true });
    }
  }
  await load();
}

begin();
