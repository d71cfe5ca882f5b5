// The status of the whole page, and how a run goes on, in words.

import { ask, base } from "./api.js";
import { showProblems } from "./controls.js";
import { byId, el, update } from "./dom.js";
import { moment, NOUNS, span } from "./format.js";
import { here, leaveTo } from "./location.js";
import { plainButton } from "./panels.js";
import { isDrawn, pageConfig, state } from "./state.js";

const STATUSES = ["loading", "ready", "stale", "empty", "refused", "broken"];

/** Say how the page is, in one of STATUSES, and in words where there is something to say. */
export function setStatus(status, text = null, button = null) {
  state.status = STATUSES.includes(status) ? status : "loading";
  document.body.dataset.state = state.status;
  const box = byId("notice");
  box.hidden = !text;
  update(box, text ? el("span", {}, text) : null, button);
}

/** Say how the page is now that its answers are there. */
export function finished() {
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

/** Return whether anything is stored of a range. */
export const hasData = ({ days }) => days.some(({ state }) => state === "stored");

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
  const { dagId } = pageConfig.periods[view.period];
  const dag = await ask(`${base()}/api/v2/dags/${dagId}`).catch(() => ({}));
  if (!dag.is_paused || state.view !== view || state.status !== "empty") return;
  const text =
    `No ${NOUNS[view.period]} is stored: the DAG ${dagId} is paused. ` +
    `Unpause it in Airflow to have every ${NOUNS[view.period]} from now on; run or backfill it for earlier ones.`;
  setStatus("empty", text);
}

/** Say what went wrong; numbers of the same view stay, and are marked outdated. */
export function broken(problem, load) {
  const isSame = isDrawn(state.view);
  const again = plainButton("Try again", load);
  if (problem.kind === "invalid") showProblems(problem.fields);
  if (problem.kind === "login") {
    const login = el("button", { class: "primary", type: "button", onclick: logIn }, "Log in");
    const stale = isSame ? ` ${asOf()} Refresh failed.` : "";
    setStatus(isSame ? "stale" : "refused", `${problem.message}${stale}`, login);
  } else if (problem.kind === "broken" && isSame) {
    setStatus("stale", `${asOf()} Refresh failed. ${problem.message}`, again);
  } else {
    setStatus(problem.kind === "broken" ? "broken" : "refused", problem.message, again);
  }
  if (state.status !== "stale") {
    state.drawn = null;
    byId("subtitle").textContent = "";
  }
}

/** Say how old the numbers are. */
export const asOf = () => `Showing data from ${moment(state.drawn.time)}.`;

const logIn = () => leaveTo(`${base()}/api/v2/auth/login?next=${encodeURIComponent(here())}`);

/** Say how a run goes on. */
export function report(text, wrong) {
  const box = byId("progress");
  box.hidden = !text;
  box.classList.toggle("problem", wrong);
  const close = () => {
    box.hidden = true;
  };
  update(box, el("span", {}, text), plainButton("Close", close));
}
