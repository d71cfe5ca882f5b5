// The address bar: the page's own, or Airflow's, which shows the page in a frame of the same origin.
//
// Airflow 3.3.2 and newer copy the frame's address into their own when it loads, and reload the frame when their own
// changes; older ones do neither. So both addresses always say the same, and Back and Forward are those of the bar.

import { formatView, parseView } from "./address.js";

/** Return the window whose address a person sees. */
function findBar() {
  try {
    // reading it fails where another origin frames the page
    if (window.parent !== window && window.parent.location.href) return window.parent;
  } catch {
    // the page's own address is all that there is
  }
  return window;
}

const bar = findBar();

/** Return what the address asks for; a frame just made by an older Airflow has Airflow's address only. */
export function readView() {
  const own = bar.location.search || location.search;
  return parseView(own);
}

/** Return what Airflow made the frame for: `dag` and `run`, or null. */
export function readFrame() {
  const given = new URLSearchParams(location.search);
  return { dag: given.get("dag"), run: given.get("run") };
}

/**
 * Put a view into the address.
 *
 * @param {object} view
 * @param {boolean} push whether Back comes back to the view before
 */
export function writeView(view, push) {
  const query = formatView(view);
  if (bar.location.search !== query) {
    const how = push ? "pushState" : "replaceState";
    // Airflow's router keeps its own state there
    bar.history[how](bar.history.state, "", bar.location.pathname + query);
  }
  if (bar === window) return;
  const frame = Object.entries(readFrame()).filter(([, value]) => value);
  const given = new URLSearchParams([...frame, ...new URLSearchParams(query)]);
  history.replaceState(null, "", location.pathname + (given.size ? `?${given}` : ""));
}

/**
 * Call a function with the view whenever the user goes back or forward, and when the browser restores the page as it
 * had left it: the address may be another one by then.
 */
export function onBack(navigate) {
  const listener = () => navigate(parseView(bar.location.search));
  bar.addEventListener("popstate", listener);
  // Airflow's window outlives the frame
  addEventListener("pagehide", () => bar.removeEventListener("popstate", listener));
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    bar.addEventListener("popstate", listener);
    listener();
  });
}

/** Go to another address of Airflow. A frame may not move Airflow's window, but Airflow's document may. */
export function leaveTo(href) {
  const link = bar.document.createElement("a");
  link.href = href;
  link.click();
}

/** Return the address of a view. */
export const addressOf = (view) =>
  `${bar.location.origin}${bar.location.pathname}${formatView(view)}`;

/** Return the address that a person would come back to. */
export const here = () => bar.location.href;
