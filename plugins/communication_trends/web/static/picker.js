// Choosing an organization: a combobox that searches as one types.

import { ask, route } from "./ask.js";
import { byId, h } from "./dom.js";
import { shown } from "./words.js";

const EVERY = { id: null, name: "All organizations" };
const PAUSE = 150;

/**
 * Make the combobox work.
 *
 * @param {function({id, name})} onChoose called with the choice; the id is null for all organizations
 * @param {function()} onLeave called when it is left, whether or not something was chosen
 * @param {function(): string|null} current returns the id of what is shown
 */
export function makePicker(onChoose, onLeave, current) {
  const input = byId("organization");
  const list = byId("organizations");
  let options = [];
  let active = -1;
  let timer = 0;
  // answers may come in another order than they were asked for: only that to the last question counts, and none
  // once the list is closed
  let wanted = null;
  let listed = null;
  let asking = null;

  const choose = (index) => {
    if (!options[index]) return;
    close();
    input.value = options[index].id ? options[index].name : "";
    input.select();
    onChoose(options[index]);
  };

  const close = () => {
    // also what was typed a moment ago, and is not asked for yet
    clearTimeout(timer);
    asking?.abort();
    wanted = null;
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };

  const mark = (index) => {
    active = index;
    options.forEach((_, at) => {
      byId(`option-${at}`).setAttribute("aria-selected", String(at === active));
    });
    if (active < 0) {
      input.removeAttribute("aria-activedescendant");
      return;
    }
    input.setAttribute("aria-activedescendant", `option-${active}`);
    byId(`option-${active}`).scrollIntoView({ block: "nearest" });
  };

  const option = (organization, index) =>
    h(
      "li",
      {
        role: "option",
        id: `option-${index}`,
        onpointerdown: (event) => {
          event.preventDefault();
          choose(index);
        },
      },
      h("span", {}, organization.name),
      organization.id ? h("small", {}, organization.slug) : null,
    );

  const open = async (search) => {
    wanted = search;
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    const path = route("organizations", { search, limit: 20 });
    const found = await ask(path, { signal }).catch((error) => ({
      organizations: [],
      problem: error.message,
    }));
    if (search !== wanted || document.activeElement !== input) return;
    listed = search;
    options = [...(search ? [] : [EVERY]), ...found.organizations];
    const hint = hintOf(found, options.length);
    list.replaceChildren(
      ...options.map(option),
      ...(hint
        ? [
            h(
              "li",
              { class: "hint", role: "option", "aria-disabled": "true", "aria-selected": "false" },
              hint,
            ),
          ]
        : []),
    );
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    const at = options.findIndex(({ id }) => search || id === current());
    mark(at);
  };

  const step = (by) => {
    if (list.hidden) open("");
    else if (options.length) mark((active + by + options.length) % options.length);
  };

  input.addEventListener("focus", () => {
    input.select();
    open("");
  });
  input.addEventListener("click", () => list.hidden && open(""));
  input.addEventListener("blur", () => {
    close();
    onLeave();
  });
  input.addEventListener("input", () => {
    clearTimeout(timer);
    wanted = input.value.trim();
    timer = setTimeout(() => open(wanted), PAUSE);
  });
  const keys = {
    Escape: close,
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: async () => {
      // who types fast means what was typed, not what is still listed
      clearTimeout(timer);
      if (wanted === null) return;
      if (wanted !== listed) await open(wanted);
      if (!list.hidden) choose(active);
    },
  };
  input.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(keys, event.key)) return;
    if (event.key !== "Escape") event.preventDefault();
    keys[event.key]();
  });
}

function hintOf({ organizations, totalEntries, problem }, options) {
  if (problem) return problem;
  if (!options) return "No organization has this name";
  const more = totalEntries - organizations.length;
  return more > 0 ? `${shown(more)} more: type to search` : null;
}
