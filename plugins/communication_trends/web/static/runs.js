// Filling a gap: Airflow's own REST API, with the permissions of whoever is logged in.

import { ask, base, Problem } from "./ask.js";
import { byId } from "./dom.js";
import { longDay } from "./words.js";

export const DAG_ID = "communication_trends_daily";

const LONGEST_WAIT = 10_000;

const dagPath = () => `${base()}/api/v2/dags/${DAG_ID}`;
const runPath = (id) => `${dagPath()}/dagRuns/${encodeURIComponent(id)}`;

/**
 * Ask whether the DAG shall run for a day, start the run, and follow it to its end.
 *
 * @param {string} date the UTC day
 * @param {{id, name}|null} organization the one it is for; null for all
 * @param {function(string, object)} notice tells the person what happens
 * @param {function()} onEnd called before the last notice, when the run has ended
 */
export function offerRun(date, organization, notice, onEnd) {
  const whom = organization?.name ?? "all organizations";
  const [dialog, button, problem] = ["dialog", "dialog-run", "dialog-problem"].map(byId);
  byId("dialog-text").textContent =
    `Airflow runs ${DAG_ID} for ${longDay(date)} and ${whom}. ` +
    "A day whose messages have been purged stays as empty as they are.";
  problem.hidden = true;
  button.disabled = false;
  button.onclick = async () => {
    button.disabled = true;
    try {
      const run = await start(date, organization);
      dialog.close();
      await follow(run.dag_run_id, date, notice, onEnd);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem.textContent =
        error.message === "Forbidden"
          ? "You may not trigger this DAG. Ask somebody who may."
          : error.message;
      problem.hidden = false;
      button.disabled = false;
    }
  };
  dialog.showModal();
  button.focus();
}

const start = (date, organization) =>
  ask(`${dagPath()}/dagRuns`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      logical_date: null,
      conf: { date, organizations: organization ? [organization.id] : null },
    }),
  });

async function follow(id, date, notice, onEnd) {
  const name = `The run for ${longDay(date)}`;
  const dag = await ask(dagPath()).catch(() => ({}));
  const paused = dag.is_paused
    ? " The DAG is paused: the run waits until somebody unpauses it."
    : "";
  notice(`${name} is queued.${paused}`);
  for (let wait = 1000; ; wait = Math.min(wait * 1.3, LONGEST_WAIT)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    let state;
    try {
      ({ state } = await ask(runPath(id)));
    } catch (error) {
      const text = `${name} was started, but its state cannot be read. ${error.message}`;
      notice(text, { problem: true });
      return;
    }
    if (state === "running") notice(`${name} is running.`);
    if (state !== "success" && state !== "failed") continue;
    await onEnd();
    if (state === "success") notice(`${name} has succeeded.`);
    else notice(`${name} has failed: the log of its task summarize says why.`, { problem: true });
    return;
  }
}
