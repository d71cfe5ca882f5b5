// What is shown: the one state of the page.

import { readView } from "./location.js";
import { lastDue } from "./periods.js";

/**
 * What the server says with the page, so that nothing is spelled here a second time: see web/page_config.py.
 *
 * @type {object}
 * @property {Object<string, {dagId: string, delay: number, mayRun: boolean}>} periods by kind; delay in seconds
 * @property {Object<string, string>} plurals of topics that can be counted
 * @property {string} version of the package
 */
export const pageConfig = JSON.parse(document.documentElement.dataset.config);

/** All that decides what the page looks like; `draw` and `drawPanel` are the only ones that make it so. */
export const state = {
  /** what is to be shown, as the address has it */
  view: readView(),
  /** the answers that are on the page, the view and the range they are of, and when they came */
  drawn: null,
  /** the organization that was chosen last: it has a name before there is an answer */
  chosen: null,
  /** one of STATUSES of status.js */
  status: "loading",
  /** what the person has hidden and opened in the charts */
  hidden: new Set(),
  opened: new Set(),
  /** the channel whose panel has been brought into sight */
  revealed: null,
  /** runs that have not ended; what they are for is not offered again */
  runs: [],
  /** the latest run that has ended; null where that is not known */
  latest: null,
  /** aborts the current requests, and when they began */
  asking: null,
  askedAt: 0,
  /** the run whose tab this is */
  run: null,
};

/** Return the first date of the last period whose run is due. */
export const due = (period) => lastDue(period, Date.now(), pageConfig.periods[period].delay);

/** Return whether what is on the page is of a view. */
export const isDrawn = (view) =>
  state.drawn && JSON.stringify(state.drawn.view) === JSON.stringify(view);
