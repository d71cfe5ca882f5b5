// Elements made without markup: what the database holds is only ever set as text.

const SVG_TAGS = new Set(["svg", "rect", "title"]);

export const byId = (id) => document.getElementById(id);

/**
 * Make an element.
 *
 * @param {string} tag its name
 * @param {object} attributes by name; `on…` is a listener, `color` the background; null and false leave one out
 * @param {...(Node|string|null|Array)} children appended in order; null is left out
 */
export function h(tag, attributes, ...children) {
  const node = SVG_TAGS.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "color") node.style.background = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Return the value of a color of page.css in the current theme. */
export const themed = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** "light" or "dark" */
export const themeName = () => document.documentElement.dataset.theme;
