// What the page asks for.

import { rangeOf } from "./address.js";
import { ask, Problem, queue, route, trendsPath } from "./api.js";
import { isSmall } from "./changes.js";
import { addDays, addPeriods } from "./periods.js";
import { DEFAULT_SORT, PAGE_SIZE } from "./ranking.js";
import { activeRuns, latestRun } from "./runs.js";
import { due, pageConfig } from "./state.js";

const HOTSPOTS = 15;
const MAX_FINDINGS = 200;
const BEHIND = 200;
/** Periods that the API judges in one answer. */
const JUDGED = 92;
const MEAN_REACH = 6;
/** The API has four slots for all users together. */
const MAX_REQUESTS = 2;

/**
 * Ask for everything at once.
 *
 * @param {object} view what is to be shown
 * @param {AbortSignal} signal ends the asking
 * @param {boolean} hasChanges whether topics and tones have been compared on this page, by itself or not
 * @returns {object} promises of answers: what the charts are of (`trends`, `before`, `marked`), and by the id of their panels
 *   those of the panels, where `gaps` has the runs of the DAG too; and the `range`
 */
export function askForAll(view, signal, hasChanges) {
  const { organization, period, compare } = view;
  const range = rangeOf(view, due(period));
  const inTurn = queue(MAX_REQUESTS);
  const get = (path, parameters) =>
    inTurn(() => ask(route(path, { period, ...parameters }), { signal }));
  const own = { organization, ...range };
  const trends = get(trendsPath(organization), range);
  const before = hasMean(view)
    ? get(trendsPath(organization), weekBefore(range)).then((answer) => answer.days)
    : null;
  // the marks in the charts are of the whole range; before the panels, since the charts wait for them
  const marked = organization
    ? get("attention", { ...judged(own, period), limit: BEHIND }).catch((error) => {
        if (!(error instanceof Problem)) throw error;
        return { findings: [], problem: error.message };
      })
    : { findings: [] };
  const ranking = organization ? null : get("overview", ranked(view, range));
  const cards = get("comparison", { ...own, compare });
  const freshness = organization ? trends : get("freshness", { ...range, limit: BEHIND });
  const dag = { period, ...pageConfig.periods[period] };
  const gaps = Promise.all([
    freshness,
    dag.mayRun ? activeRuns(dag, signal).catch(none) : [],
    organization ? null : latestRun(dag, signal).catch(none),
  ]);
  const hotspots = get("hotspots", { ...own, limit: HOTSPOTS });
  const attention = get("attention", { organization, to: range.to, limit: MAX_FINDINGS });
  // the charts' answer says how many organizations there are
  const changes = trends.then((answer) =>
    isSmall(answer) || hasChanges ? get("topic-changes", { ...own, compare }) : null,
  );
  return {
    range,
    trends,
    before,
    marked,
    panels: { changes, cards, attention, hotspots, gaps, ranking },
  };
}

/** Compare topics and tones, which is not done by itself where it would read very much. */
export const askForChanges = ({ view: { organization, period, compare }, range }) =>
  ask(route("topic-changes", { organization, period, compare, ...range }));

/** Ask for the findings after those of an answer. */
export const askForMore = ({ findings, period, to }, organization) =>
  ask(
    route("attention", { period, organization, to, limit: MAX_FINDINGS, offset: findings.length }),
  );

/** An unreadable answer does not block panels; it is asked again before a run is started. */
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
