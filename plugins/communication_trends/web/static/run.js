// On a run's tab: what happened to each organization, with the way to its task instance.

import { ask, base } from "./ask.js";
import { h } from "./dom.js";
import { longPeriod, shown } from "./words.js";

const TASK = "aggregate_organization";
const LISTED = 20;

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
  const api = `${base()}/api/v2/${path}/dagRuns/${one}/taskInstances`;
  const [summary, failed] = await Promise.all([
    ask(`${api}/summarize/xcomEntries/return_value`).then(
      ({ value }) => read(value),
      () => null,
    ),
    ask(`${api}/${TASK}/listMapped?state=failed&limit=${LISTED}`).catch(() => null),
  ]);
  const link = (task, text) => {
    const href = `${base()}/${path}/runs/${one}/tasks/${task}`;
    const onclick = (event) => {
      event.preventDefault();
      leaveTo(href);
    };
    return h("a", { href, onclick }, text);
  };
  const instances = failed?.task_instances ?? [];
  const items = [
    ...instances.map((entry) =>
      h(
        "li",
        {},
        link(
          `${TASK}/mapped/${entry.map_index}`,
          entry.rendered_map_index ?? `task instance ${entry.map_index}`,
        ),
        " failed",
      ),
    ),
    ...figures(summary).map((text) => h("li", {}, text)),
  ];
  box.replaceChildren(
    h("h2", { id: "run-title" }, `This run, for ${longPeriod(run.period, run.date)}: ${run.state}`),
    items.length
      ? h("ul", { class: "findings" }, items)
      : h("p", { class: "quiet" }, "Nothing to report."),
    h(
      "p",
      { class: "quiet" },
      link("summarize", "The task summarize"),
      " has the whole summary in its log.",
    ),
  );
}

/** XCom values come as JSON, or as text that holds it. */
function read(value) {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}

/** Return what a run's summary has to say beyond what failed, in words. */
export function figures(summary) {
  if (!summary) return [];
  const { trendsCreated, organizationsProcessed, keptTrends, lookback } = summary;
  const lines = [];
  if (trendsCreated !== undefined) {
    lines.push(`${shown(trendsCreated)} of ${shown(organizationsProcessed)} organizations stored`);
  }
  if (keptTrends)
    lines.push(`${shown(keptTrends)} kept as they were: their messages have been deleted since`);
  for (const [name, text] of [
    ["filled", "earlier ones filled"],
    ["corrected", "earlier ones corrected"],
    ["failed", "earlier ones failed"],
  ]) {
    if (lookback?.[name]) lines.push(`${shown(lookback[name])} ${text}`);
  }
  return lines;
}
