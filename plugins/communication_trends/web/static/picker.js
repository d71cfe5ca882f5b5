// Choosing an organization: a combobox that searches as one types.

import { ask, route } from "./api.js";
import { byId, el } from "./dom.js";
import { shown } from "./format.js";

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
  const list = makeList(input, (organization) => {
    close();
    input.value = organization.id ? organization.name : "";
    input.select();
    onChoose(organization);
  });
  const questions = makeQuestions(input, (search, found) => {
    const options = [...(search ? [] : [EVERY]), ...found.organizations];
    const at = options.findIndex(({ id }) => search || id === current());
    list.open(options, hintOf(found, options.length), at);
  });
  const close = () => {
    questions.stop();
    list.close();
  };
  const step = (by) => (list.isOpen() ? list.step(by) : questions.ask(""));

  input.addEventListener("focus", () => {
    input.select();
    questions.ask("");
  });
  input.addEventListener("click", () => !list.isOpen() && questions.ask(""));
  input.addEventListener("blur", () => {
    close();
    onLeave();
  });
  input.addEventListener("input", () => questions.askSoon(input.value.trim()));
  const keys = {
    Escape: close,
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: async () => {
      // a fast typist means the typed text, not the old list
      await questions.settle();
      if (list.isOpen()) list.choose();
    },
  };
  input.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(keys, event.key)) return;
    if (event.key !== "Escape") event.preventDefault();
    keys[event.key]();
  });
}

/** What is asked while a person types. */
function makeQuestions(input, onFound) {
  let timer = 0;
  // only the latest request's answer counts, and none once the list is closed
  let wanted = null;
  let listed = null;
  let asking = null;

  const askNow = async (search) => {
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
    onFound(search, found);
  };

  return {
    ask: askNow,
    askSoon(search) {
      clearTimeout(timer);
      wanted = search;
      timer = setTimeout(() => askNow(wanted), PAUSE);
    },
    /** Ask for what was typed a moment ago, unless it is listed already. */
    async settle() {
      clearTimeout(timer);
      if (wanted !== null && wanted !== listed) await askNow(wanted);
    },
    stop() {
      // also what was typed a moment ago, and is not asked for yet
      clearTimeout(timer);
      asking?.abort();
      wanted = null;
    },
  };
}

/** The list of what can be chosen, and what of it the keys have come to. */
function makeList(input, onChoose) {
  const list = byId("organizations");
  let options = [];
  let active = -1;

  const choose = (index) => options[index] && onChoose(options[index]);

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

  return {
    isOpen: () => !list.hidden,
    open(found, hint, at) {
      options = found;
      const items = options.map((one, index) => option(one, index, () => choose(index)));
      list.replaceChildren(...items, ...(hint ? [hintItem(hint)] : []));
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      mark(at);
    },
    close() {
      list.hidden = true;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    },
    step(by) {
      if (options.length) mark((active + by + options.length) % options.length);
    },
    choose: () => choose(active),
  };
}

const option = (organization, index, choose) =>
  el(
    "li",
    {
      role: "option",
      id: `option-${index}`,
      onpointerdown: (event) => {
        event.preventDefault();
        choose();
      },
    },
    el("span", {}, organization.name),
    organization.id ? el("small", {}, organization.slug) : null,
  );

const hintItem = (hint) =>
  el(
    "li",
    { class: "hint", role: "option", "aria-disabled": "true", "aria-selected": "false" },
    hint,
  );

function hintOf({ organizations, totalEntries, problem }, options) {
  if (problem) return problem;
  if (!options) return "No organization has this name";
  const more = totalEntries - organizations.length;
  return more > 0 ? `${shown(more)} more: type to search` : null;
}
