// Filling gaps: runs of the DAG through Airflow's own REST API, with the permissions of whoever is logged in.

import { ask, base, Problem } from "./ask.js";
import { byId, h } from "./dom.js";
import { count, list, longPeriod, NOUNS, shortPeriod } from "./words.js";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 10_000;
const LISTED = 6;

const dagPath = (dagId) => `${base()}/api/v2/dags/${encodeURIComponent(dagId)}`;

/**
 * Ask whether the DAG shall run, start one run for each period, and follow them to their end.
 *
 * @param {{date: string, organizations: object[]|null}[]} periods oldest first; null is all organizations
 * @param {{period: string, dagId: string}} dag
 * @param {function(string, boolean)} report tells what happens; true when it went wrong
 * @param {function()} onEnd called when all have ended
 */
export function offerRuns(periods, { period, dagId }, report, onEnd) {
  const [dialog, button, problem] = ["dialog", "dialog-run", "dialog-problem"].map(byId);
  const one = periods.length === 1;
  byId("dialog-title").textContent = one
    ? `Run the DAG for ${longPeriod(period, periods[0].date)}?`
    : `Run the DAG for ${count(periods.length, NOUNS[period])}?`;
  byId("dialog-text").replaceChildren(
    `Airflow runs ${dagId}, which counts the messages again and stores the result:`,
    h("ul", {}, describe(periods, period)),
    `A ${NOUNS[period]} whose messages have been deleted since stays as empty as they are.`,
  );
  problem.hidden = true;
  button.disabled = false;
  button.textContent = one ? "Run" : `Run ${periods.length}`;
  button.onclick = async () => {
    button.disabled = true;
    const { started, error } = await startAll(dagId, periods);
    if (error) {
      problem.textContent = explain(error, started);
      problem.hidden = false;
      button.disabled = started.length > 0;
    } else {
      dialog.close();
    }
    if (started.length) await follow(started, { period, dagId }, report, onEnd);
  };
  dialog.showModal();
  button.focus();
}

/** Start the runs one after the other, up to the first that Airflow refuses. */
async function startAll(dagId, periods) {
  const started = [];
  try {
    for (const entry of periods) started.push(await start(dagId, entry));
    return { started, error: null };
  } catch (error) {
    if (error instanceof Problem) return { started, error };
    throw error;
  }
}

function explain(error, started) {
  if (error.kind === "forbidden") return "You may not trigger this DAG. Ask somebody who may.";
  return started.length
    ? `${count(started.length, "run")} started, then: ${error.message}`
    : error.message;
}

function describe(periods, period) {
  const line = ({ date, organizations }) => {
    const whom = organizations ? list(organizations.map(({ name }) => name)) : "all organizations";
    return h("li", {}, `${shortPeriod(period, date)}: ${whom}`);
  };
  const rest = periods.length - LISTED;
  const lines = periods.slice(0, rest > 1 ? LISTED : periods.length).map(line);
  return rest > 1 ? [...lines, h("li", {}, `and ${rest} more`)] : lines;
}

async function start(dagId, { date, organizations }) {
  const run = await ask(`${dagPath(dagId)}/dagRuns`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      logical_date: null,
      conf: { date, organizations: organizations?.map(({ id }) => id) ?? null },
    }),
  });
  return { id: run.dag_run_id, date };
}

async function follow(runs, { period, dagId }, report, onEnd) {
  const alone = runs.length === 1;
  const name = alone
    ? `The run for ${longPeriod(period, runs[0].date)}`
    : count(runs.length, "run");
  const dag = await ask(dagPath(dagId)).catch(() => ({}));
  const paused = dag.is_paused ? " The DAG is paused: somebody has to unpause it first." : "";
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
  await onEnd();
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
