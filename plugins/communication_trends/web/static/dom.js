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
export function el(tag, attributes, ...children) {
  const node = SVG_TAGS.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) listen(node, name.slice(2), value);
    else if (name === "color") node.style.background = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const LISTENERS = Symbol("listeners");

/** Listen through a table, so that drawing again can replace the handler. */
function listen(node, type, listener) {
  node[LISTENERS] ??= {};
  if (!(type in node[LISTENERS]))
    node.addEventListener(type, (event) => node[LISTENERS][type]?.(event));
  node[LISTENERS][type] = listener;
}

/**
 * Make an element's children those given, in place: what is there already stays the same element, with its focus, its
 * place in the page and what a person has opened. `data-key` or the id says which are the same; without either, those
 * of the same tag are, in their order.
 *
 * @param {Element} box
 * @param {...(Node|string|null|Array)} children as for `h`
 */
export function update(box, ...children) {
  const focused = document.activeElement;
  const wanted = el("div", {}, ...children).childNodes;
  reconcile(box, [...wanted]);
  // moving an element loses its focus
  if (document.activeElement !== focused && focused?.isConnected)
    focused.focus({ preventScroll: true });
}

const keyOf = (node) => node.getAttribute?.("data-key") ?? (node.id || null);

function reconcile(box, wanted) {
  const old = [...box.childNodes];
  const keyed = new Map(old.filter(keyOf).map((node) => [keyOf(node), node]));
  const others = old.filter((node) => !keyOf(node));
  wanted.forEach((node, index) => {
    const key = keyOf(node);
    const found = key ? keyed.get(key) : others.find((one) => one.nodeName === node.nodeName);
    const same = found?.nodeName === node.nodeName ? found : null;
    if (same) {
      if (key) keyed.delete(key);
      else others.splice(others.indexOf(same), 1);
      patch(same, node);
    }
    const at = box.childNodes[index] ?? null;
    if (at !== (same ?? node)) box.insertBefore(same ?? node, at);
  });
  while (box.childNodes.length > wanted.length) box.lastChild.remove();
}

function patch(old, node) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== node.nodeValue) old.nodeValue = node.nodeValue;
    return;
  }
  patchAttributes(old, node);
  for (const type of Object.keys(old[LISTENERS] ?? {})) old[LISTENERS][type] = null;
  for (const [type, listener] of Object.entries(node[LISTENERS] ?? {})) listen(old, type, listener);
  reconcile(old, [...node.childNodes]);
  // what a person has changed is a property, not the attribute
  for (const name of ["checked", "value"])
    if (name in node && old[name] !== node[name]) old[name] = node[name];
}

function patchAttributes(old, node) {
  for (const { name } of [...old.attributes])
    if (!node.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

/** Return the value of a color of base.css in the current theme. */
export const themed = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** "light" or "dark" */
export const themeName = () => document.documentElement.dataset.theme;
