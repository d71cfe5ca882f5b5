// On a run's tab: what happened to each organization, with the way to its task instance.

import { ask, base, queue } from "./api.js";
import { el, update } from "./dom.js";
import { count, list, longPeriod, shortPeriod, shown } from "./format.js";
import { quiet } from "./panels.js";

const TASK = "aggregate_organization";
/** What a task instance has reported beyond its state. */
const OUTCOME = "outcome";
const LISTED = 20;
const MAX_REQUESTS = 4;

/**
 * Draw what a run did; nothing for null.
 *
 * @param {HTMLElement} box
 * @param {{runId, dagId, period, date, state}|null} run
 * @param {function(string)} leaveTo goes to another address of Airflow
 */
export async function drawRun(box, run, leaveTo) {
  box.hidden = !run;
  if (box.hidden) return;
  const path = `dags/${encodeURIComponent(run.dagId)}`;
  const one = encodeURIComponent(run.runId);
  const api = `${base()}/api/v2/${path}/dagRuns/${one}`;
  const [{ state }, summary, { instances, more, unknown }] = await Promise.all([
    // it may have progressed since the page was opened
    ask(api).catch(() => run),
    askXcom(`${api}/taskInstances/summarize/xcomEntries/return_value`),
    askInstances(`${api}/taskInstances`, run.period),
  ]);
  const link = (task, text) => {
    const href = `${base()}/${path}/runs/${one}/tasks/${task}`;
    const onclick = (event) => {
      event.preventDefault();
      leaveTo(href);
    };
    return el("a", { href, onclick }, text);
  };
  const items = [
    ...instances.map(({ index, name, said }) =>
      el("li", { "data-key": index }, link(`${TASK}/mapped/${index}`, name), el("span", {}, said)),
    ),
    ...more.map((text) => el("li", {}, text)),
    ...countsOf(summary).map((text) => el("li", {}, text)),
  ];
  if (unknown) items.push(el("li", {}, "The result of each organization cannot be read."));
  update(
    box,
    el("h2", { id: "run-title" }, `This run, for ${longPeriod(run.period, run.date)}: ${state}`),
    items.length ? el("ul", { class: "findings" }, items) : quiet("Nothing to report."),
    quiet([link("summarize", "The task summarize"), " has the whole summary in its log."]),
  );
}

/** Return the task instances that failed, and those that have something to report; their names and reports. */
async function askInstances(tasks, period) {
  const [failed, reported] = await Promise.all([
    ask(`${tasks}/${TASK}/listMapped?state=failed&limit=${LISTED}`).catch(() => null),
    ask(`${tasks}/${TASK}/xcomEntries?xcom_key=${OUTCOME}&limit=${LISTED}`).catch(() => null),
  ]);
  const found = new Map();
  for (const entry of failed?.task_instances ?? []) found.set(entry.map_index, { entry });
  for (const { map_index: index } of reported?.xcom_entries ?? [])
    found.set(index, { ...found.get(index), hasReport: true });
  const inTurn = queue(MAX_REQUESTS);
  const complete = async ([index, { entry, hasReport }]) => {
    const [instance, outcome] = await Promise.all([
      entry ?? inTurn(() => ask(`${tasks}/${TASK}/${index}`).catch(() => null)),
      hasReport
        ? inTurn(() => askXcom(`${tasks}/${TASK}/xcomEntries/${OUTCOME}?map_index=${index}`))
        : null,
    ]);
    const name = instance?.rendered_map_index ?? `task instance ${index}`;
    return { index, name, said: fate(outcome, entry ? "failed" : instance?.state, period) };
  };
  const all = [...found].sort(([first], [second]) => first - second);
  return {
    instances: await Promise.all(all.map(complete)),
    more: [
      moreText(failed?.total_entries, failed?.task_instances, "failed"),
      // of these some may have failed, too
      moreText(reported?.total_entries, reported?.xcom_entries, "with something to report"),
    ].filter(Boolean),
    unknown: !failed || !reported,
  };
}

/** Say how many task instances of a kind are not listed; null where all are. */
export function moreText(total = 0, listed = [], what = "") {
  const rest = total - listed.length;
  return rest > 0 ? `and ${count(rest, "more task instance")} ${what}` : null;
}

/** Return the value of an XCom, which comes as JSON, or as text that holds it; null where it cannot be read. */
async function askXcom(url) {
  try {
    const { value } = await ask(url);
    return typeof value === "string" ? JSON.parse(value) : value;
  } catch {
    return null;
  }
}

/**
 * Return what became of the organizations of a task instance, in words.
 *
 * @param {object|null} outcome what it reported, if anything
 * @param {string|undefined} state its own
 * @param {string} period
 */
export function fate(outcome, state, period) {
  const { kept = [], failed = [], earlier = {}, failedEarlier = [] } = outcome ?? {};
  const dates = (name) =>
    Object.entries(earlier)
      .filter(([, numbers]) => numbers[name])
      .map(([date]) => date);
  const named = (found) =>
    list([...new Set(found)].sort().map((date) => shortPeriod(period, date)));
  const part = (found, verb) => (found.length ? [`${verb} ${named(found)}`] : []);
  const several = (found) => (found.length > 1 ? ` ${shown(found.length)} organizations` : "");
  return [
    ...(failed.length || (state === "failed" && !failedEarlier.length)
      ? [`failed${several(failed)}`]
      : []),
    ...(kept.length ? [`not overwritten${several(kept)}: the source has fewer rows now`] : []),
    ...part(dates("filled"), "filled"),
    ...part(dates("corrected"), "corrected"),
    ...part(
      failedEarlier.map(([date]) => date),
      "failed for",
    ),
    ...part(dates("kept"), "not overwritten:"),
  ].join(" · ");
}

/** Return what a run's summary has to say, in words. */
export function countsOf(summary) {
  if (!summary) return [];
  const {
    trendsCreated,
    organizationsProcessed,
    errors = 0,
    keptTrends,
    notFinal,
    lookback,
  } = summary;
  const lines = [];
  if (trendsCreated !== undefined) {
    // those processed are those that did not fail
    const all = count(organizationsProcessed + errors, "organization");
    const failed = errors ? `, ${shown(errors)} failed` : "";
    lines.push(`${shown(trendsCreated)} of ${all} stored${failed}`);
  }
  if (keptTrends)
    lines.push(`${count(keptTrends, "trend")} not overwritten: the source has fewer rows now`);
  if (notFinal) lines.push(`${count(notFinal, "trend")} not final`);
  for (const name of ["filled", "corrected", "failed"]) {
    if (lookback?.[name]) lines.push(`${count(lookback[name], "earlier trend")} ${name}`);
  }
  return lines;
}
