// What the server says with the page, so that nothing is spelled here a second time: see web/facts.py.

/**
 * @typedef {object} Facts
 * @property {Object<string, {dagId: string, delay: number, mayRun: boolean}>} periods by kind; delay in seconds
 * @property {Object<string, string>} plurals of topics that can be counted
 * @property {string} version of the package
 */

/** @returns {Facts} */
export const readFacts = () => JSON.parse(document.documentElement.dataset.facts);
