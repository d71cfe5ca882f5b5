// Asking the API, and Airflow's own.

const PREFIX = "/communication-trends/";

/** How often to retry while the server is busy: for some minutes. */
const MOST_TIMES = 30;

/** Where Airflow's API server is, which may have a path of its own before the page's. */
export const base = () => location.pathname.slice(0, location.pathname.indexOf(PREFIX));

/** What is shown when an answer is not what was asked for. */
export class Problem extends Error {
  /**
   * @param {string} message in words
   * @param {"broken"|"login"|"forbidden"|"invalid"} kind who has to act: we, or the person
   * @param {Object<string, string>} fields what is wrong with which part of the question
   */
  constructor(message, kind = "broken", fields = {}) {
    super(message);
    this.kind = kind;
    this.fields = fields;
  }
}

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

/**
 * Return the path of the trends of one organization, or of all for null.
 *
 * @param {string|null} organization its id: a slug may not be valid in a path
 */
export const trendsPath = (organization) =>
  organization ? `organizations/${encodeURIComponent(organization)}/trends` : "trends";

/**
 * Return the JSON that an address answers with. While all slots are taken, it is asked again, when the answer says.
 *
 * @throws {Problem} in words for the person who reads the page
 * @throws {DOMException} named AbortError, when `options.signal` says so
 */
export async function ask(url, options = {}) {
  for (let times = 1; ; times += 1) {
    const answer = await answerOf(url, options);
    if (answer.ok) return jsonOf(answer);
    const seconds = Number(answer.headers.get("Retry-After"));
    if (answer.status === 503 && seconds > 0 && times < MOST_TIMES) {
      await pause(1000 * seconds, options.signal);
    } else {
      const body = await answer.json().catch(() => ({}));
      throw problemOf(answer.status, body.detail);
    }
  }
}

const answerOf = (url, options) => received(fetch(url, { credentials: "same-origin", ...options }));

async function jsonOf(answer) {
  const text = await received(answer.text());
  try {
    return JSON.parse(text);
  } catch {
    // such as a proxy's page for a login
    throw new Problem(
      "The answer is not from Airflow's API: a login may have ended. Open the page again.",
    );
  }
}

/** Wait for something of the network. */
async function received(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem("Airflow's API server does not answer.");
  }
}

function pause(milliseconds, signal) {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal?.addEventListener("abort", end, { once: true });
  });
}

/** Return the problem of an error response. */
export function problemOf(status, detail) {
  if (status === 401) return new Problem("Your session has ended.", "login");
  if (status === 403) return new Problem("You don't have permission for this.", "forbidden");
  if (Array.isArray(detail)) {
    const fields = detail.map((entry) => [entry.loc?.at(-1), entry.msg]);
    const message = detail.map((entry) => entry.msg).join("; ");
    return new Problem(message, "invalid", Object.fromEntries(fields));
  }
  const message = typeof detail === "string" ? detail : `Airflow returned HTTP ${status}.`;
  return new Problem(message, status < 500 ? "invalid" : "broken");
}

/**
 * Return a function that calls others, a few at a time: the API has few slots, and other people want one too.
 *
 * @param {number} most
 * @returns {function(function(): Promise): Promise}
 */
export function queue(most) {
  const waiting = [];
  let free = most;
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      // the slot goes to the next one, or is free again
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
