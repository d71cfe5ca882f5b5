// Asking the API, and Airflow's own.

const PREFIX = "/communication-trends/";

/** Where Airflow's API server is, which may have a path of its own before the page's. */
export const base = () => location.pathname.slice(0, location.pathname.indexOf(PREFIX));

/** What a person is told when an answer is not what was asked for. */
export class Problem extends Error {}

/**
 * Return the address of a route of the page's API.
 *
 * @param {string} path below /api/v1
 * @param {object} parameters of the query; null is left out
 */
export function route(path, parameters = {}) {
  const given = Object.entries(parameters).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  return `${base()}${PREFIX}api/v1/${path}?${new URLSearchParams(given)}`;
}

/** Return the path and parameters of the trends of one organization, or of all for null. */
export const trendsPath = (organization) =>
  organization ? `organizations/${encodeURIComponent(organization)}/trends` : "trends";

/**
 * Return the JSON that an address answers with.
 *
 * @throws {Problem} in words for the person who reads the page
 * @throws {DOMException} named AbortError, when `options.signal` says so
 */
export async function ask(url, options = {}) {
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
  const detail = Array.isArray(body.detail)
    ? body.detail.map((entry) => entry.msg).join("; ")
    : body.detail;
  throw new Problem(typeof detail === "string" ? detail : `Airflow answered ${answer.status}.`);
}
