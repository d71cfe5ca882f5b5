// Filling gaps: runs of the DAG through Airflow's own REST API, with the permissions of the logged-in user.

import { ask, base, Problem } from "./api.js";
import { byId, el } from "./dom.js";
import { count, list, longPeriod, NOUNS, shortPeriod } from "./format.js";
import { firstDate, isoDay, lastDue } from "./periods.js";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 10_000;
const LISTED = 6;
/** Runs that Airflow lists at once. */
const API_PAGE_SIZE = 100;

const dagPath = (dagId) => `${base()}/api/v2/dags/${encodeURIComponent(dagId)}`;

/**
 * Return the runs of a DAG that have not ended, each with what it is for.
 *
 * @param {{dagId: string, period: string}} dag
 * @param {AbortSignal} signal
 * @returns {Promise<{id: string, state: string, period: string, date: string|null, organizations: string[]|null}[]>}
 */
export async function activeRuns({ dagId, period }, signal) {
  const found = [];
  for (let total = 1; found.length < total; ) {
    const query = `state=queued&state=running&limit=${API_PAGE_SIZE}&offset=${found.length}`;
    const page = await ask(`${dagPath(dagId)}/dagRuns?${query}`, { signal });
    if (!page.dag_runs.length) break;
    total = page.total_entries;
    found.push(...page.dag_runs);
  }
  return found.map((run) => ({
    id: run.dag_run_id,
    state: run.state,
    period,
    date: dateOf(run, period),
    // ids or slugs; null is all
    organizations: run.conf?.organizations ?? null,
  }));
}

/** Return the latest run of a DAG that has ended, or null. */
export async function latestRun({ dagId }, signal) {
  const query = "state=success&state=failed&order_by=-end_date&limit=1";
  const page = await ask(`${dagPath(dagId)}/dagRuns?${query}`, { signal });
  return page.dag_runs[0] ?? null;
}

/**
 * Return a date of the period that a run is for, as the DAG itself resolves it.
 *
 * @param {object} run as Airflow's API has it
 * @param {string} period
 */
export function dateOf(run, period) {
  if (run.conf?.date) return run.conf.date;
  const logical = Date.parse(run.logical_date);
  // of a run that a user has triggered, it may be the moment when that was
  const named = run.logical_date && firstDate(period, isoDay(logical));
  if (named && logical === Date.parse(named)) return named;
  return run.data_interval_start
    ? isoDay(Date.parse(run.data_interval_start))
    : lastDue(period, Date.parse(run.run_after), 0);
}

/**
 * Return the run that will store a period for each of some organizations, or undefined.
 *
 * @param {object[]} runs that have not ended
 * @param {{date: string, organizations: object[]|null}} entry null is all organizations
 */
export function covers(runs, { date, organizations }) {
  const isIn = (run) => (one) => run.organizations.some((id) => id === one.id || id === one.slug);
  return runs.find(
    (run) =>
      run.date &&
      firstDate(run.period, run.date) === firstDate(run.period, date) &&
      (run.organizations === null || organizations?.every(isIn(run))),
  );
}

/**
 * Ask whether the DAG shall run, start one run for each period, and follow them to their end. After the dialog is closed, it
 * starts no further one.
 *
 * @param {{date: string, organizations: object[]|null}[]} periods oldest first; null is all organizations
 * @param {{period: string, dagId: string}} dag
 * @param {function(string, boolean)} report shows what happens; true when it went wrong
 * @param {function(object[])} onChange called with the runs just started, and with none when all have ended
 */
export function offerRuns(periods, dag, report, onChange) {
  const { period, dagId } = dag;
  const [dialog, button, problem, cancel] = [
    "dialog",
    "dialog-run",
    "dialog-problem",
    "dialog-cancel",
  ].map(byId);
  const one = periods.length === 1;
  byId("dialog-title").textContent = one
    ? `Run the DAG for ${longPeriod(period, periods[0].date)}?`
    : `Run the DAG for ${count(periods.length, NOUNS[period])}?`;
  byId("dialog-text").replaceChildren(
    `Airflow runs ${dagId}, which counts the messages again and stores the result:`,
    el("ul", {}, describe(periods, period)),
    `A ${NOUNS[period]} whose messages have been deleted is stored without them, or stays missing.`,
  );
  problem.hidden = true;
  button.disabled = false;
  button.textContent = one ? "Run" : `Run ${periods.length}`;
  cancel.textContent = "Cancel";
  const closed = new AbortController();
  dialog.onclose = () => {
    closed.abort();
    // what opened it may be gone
    if (document.activeElement === document.body) byId("main").focus({ preventScroll: true });
  };
  button.onclick = async () => {
    button.disabled = true;
    cancel.textContent = one ? "Close" : "Stop";
    const onStart = (run, number) => {
      if (!closed.signal.aborted) button.textContent = `${number} of ${periods.length} started`;
      onChange([run]);
    };
    const { started, error } = await startAll(dag, periods, closed.signal, onStart);
    const note = notStarted(periods.length, started.length, error);
    // once it is closed, the dialog may be another one's
    if (closed.signal.aborted) report(note, Boolean(error));
    else if (error) refuse(started, error);
    else dialog.close();
    const say = (text, wrong) => report(text + note, wrong || Boolean(error));
    if (started.length) await follow(started, dag, say, onChange);
  };
  dialog.showModal();
  button.focus();
}

function refuse(started, error) {
  byId("dialog-problem").textContent = explain(error, started);
  byId("dialog-problem").hidden = false;
  byId("dialog-run").disabled = started.length > 0;
  byId("dialog-cancel").textContent = "Close";
}

function notStarted(wanted, started, error) {
  const rest = wanted - started;
  if (!rest) return "";
  const why = error ? `: ${explain(error, [])}` : ".";
  return started
    ? ` ${rest} of ${count(wanted, "run")} not started${why}`
    : `No run was started${why}`;
}

/** Start the runs one after the other, up to the first that Airflow refuses, or until it is stopped. */
async function startAll(dag, periods, signal, onStart) {
  const started = [];
  try {
    // another user may have been quicker
    const active = await activeRuns(dag);
    const found = periods.find((entry) => covers(active, entry));
    if (found) {
      const { state } = covers(active, found);
      throw new Problem(`A run for ${longPeriod(dag.period, found.date)} is ${state} already.`);
    }
    for (const entry of periods) {
      if (signal.aborted) break;
      // not aborted mid-request: we would not know whether it started
      started.push(await start(dag, entry));
      onStart(started.at(-1), started.length);
    }
    return { started, error: null };
  } catch (error) {
    if (error instanceof Problem) return { started, error };
    throw error;
  }
}

function explain(error, started) {
  if (error.kind === "forbidden") return "You don't have permission to trigger this DAG.";
  return started.length
    ? `${count(started.length, "run")} started, then: ${error.message}`
    : error.message;
}

function describe(periods, period) {
  const line = ({ date, organizations }) => {
    const whom = organizations ? list(organizations.map(({ name }) => name)) : "all organizations";
    return el("li", {}, `${shortPeriod(period, date)}: ${whom}`);
  };
  const rest = periods.length - LISTED;
  const lines = periods.slice(0, rest > 1 ? LISTED : periods.length).map(line);
  return rest > 1 ? [...lines, el("li", {}, `and ${rest} more`)] : lines;
}

async function start({ dagId, period }, { date, organizations }) {
  const ids = organizations?.map(({ id }) => id) ?? null;
  const run = await ask(`${dagPath(dagId)}/dagRuns`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      logical_date: null,
      conf: { date, organizations: ids },
    }),
  });
  return { id: run.dag_run_id, state: "queued", period, date, organizations: ids };
}

async function follow(runs, { period, dagId }, report, onChange) {
  const alone = runs.length === 1;
  const name = alone
    ? `The run for ${longPeriod(period, runs[0].date)}`
    : count(runs.length, "run");
  const dag = await ask(dagPath(dagId)).catch(() => ({}));
  const paused = dag.is_paused ? " The DAG is paused: unpause it first." : "";
  report(`${name} ${alone ? "is" : "are"} queued.${paused}`, Boolean(paused));
  const states = new Map(runs.map(({ id }) => [id, "queued"]));
  for (let wait = FIRST_WAIT; hasOpen(states); wait = Math.min(wait * 1.3, LONGEST_WAIT)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    try {
      await askStates(dagId, states);
    } catch (error) {
      report(`${name}: started, but the state cannot be read. ${error.message}`, true);
      return;
    }
    const values = [...states.values()];
    if (values.some((state) => state !== "queued")) {
      const done = values.filter((state) => ENDED.has(state)).length;
      report(alone ? `${name} is running.` : `${name}: ${done} of ${runs.length} done.`, false);
    }
  }
  await onChange([]);
  const failed = runs.filter(({ id }) => states.get(id) === "failed");
  if (!failed.length) {
    report(`${name} ${alone ? "has" : "have all"} succeeded.`, false);
    return;
  }
  const which = list(failed.map(({ date }) => shortPeriod(period, date)));
  const what = alone ? `${name} has failed` : `${failed.length} of ${name} failed (${which})`;
  report(`${what}: the log of the task summarize says why.`, true);
}

const ENDED = new Set(["success", "failed"]);
const hasOpen = (states) => [...states.values()].some((state) => !ENDED.has(state));

/** Ask for the state of each run that has not ended. */
async function askStates(dagId, states) {
  for (const [id, before] of states) {
    if (ENDED.has(before)) continue;
    const { state } = await ask(`${dagPath(dagId)}/dagRuns/${encodeURIComponent(id)}`);
    states.set(id, state);
  }
}
