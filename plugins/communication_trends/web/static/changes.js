// Which topics and tones have changed, with both sides, for whom and in which channels.

import { overText } from "./cards.js";
import { el, update } from "./dom.js";
import { change, label, list, percent, shown, span } from "./format.js";
import { head, headings, organizationLink, plainButton, tableIn } from "./panels.js";

/** Organization-periods up to which topics are compared automatically: it reads each entry of each trend. */
const COMPARED_AT_ONCE = 30_000;

/** Whether a comparison of topics is small enough to be made whenever the page is drawn. */
export const isSmall = ({ organization, organizationsTotal, days }) =>
  Boolean(organization) || organizationsTotal * days.length <= COMPARED_AT_ONCE;

/**
 * Draw the topics and tones that have changed.
 *
 * @param {HTMLElement} box
 * @param {object|null} answer null where it has to be asked for
 * @param {object} context
 * @param {function()} context.compare asks for it
 */
export function drawChanges(box, answer, { csv, compare, navigate }) {
  box.hidden = false;
  if (!answer) {
    update(
      box,
      head(
        "changes-title",
        "What changed",
        "Topics and tones against the range that this one is compared with.",
        null,
      ),
      plainButton("Compare topics and tones", compare),
    );
    return;
  }
  const { matchedDays, previous, topics, tones } = answer;
  const title = head("changes-title", "What changed", aboutText(answer), csv);
  if (!matchedDays) {
    const none = `Nothing to compare: nothing final is stored both here and in ${span(previous)}.`;
    update(box, title, el("p", { class: "empty" }, none));
    return;
  }
  update(
    box,
    title,
    el(
      "div",
      { class: "pair" },
      tableOf("Topic", topics, answer, navigate),
      tableOf("Tone", tones, answer, navigate),
    ),
  );
}

/** Say what is compared with what, and over how much. */
function aboutText(answer) {
  const { matchedDays, comparable, previous } = answer;
  const few = comparable || !matchedDays ? "" : ": too few to say how the range has changed";
  return `Share of each, compared with ${span(previous)}${overText(answer)}${few}.`;
}

function tableOf(heading, entries, { comparable, organization }, navigate) {
  const columns = [
    [heading, ""],
    ["Share", "number"],
    ["Before", "number"],
    ["Points", "number"],
    ...(organization && heading === "Tone"
      ? []
      : [[organization ? "Hotspots in" : "Mostly for", ""]]),
  ];
  const row = (entry) =>
    el(
      "tr",
      { "data-key": `=${entry.name}` },
      el("th", { scope: "row" }, label(entry.name)),
      el("td", { class: "number" }, percent(entry.currentShare)),
      el("td", { class: "number" }, percent(entry.previousShare)),
      el("td", { class: "number" }, comparable ? pointsText(entry) : "–"),
      columns.length > 4 ? el("td", {}, whoOf(entry, organization, navigate)) : null,
    );
  const name = `Changes by ${heading.toLowerCase()}`;
  return tableIn("scroll-x", name, headings(columns), entries.map(row));
}

const pointsText = ({ changePoints }) =>
  changePoints === 0 ? "±0" : (change(changePoints, "points") ?? "–").replace(/ points?$/, "");

/** For whom a topic has risen, and in which channels. */
function whoOf(entry, organization, navigate) {
  if (organization) return channelsText(entry.channels);
  return entry.organizations.map((one) =>
    el(
      "div",
      {},
      organizationLink(one.organization, navigate),
      el(
        "small",
        {},
        ` ${percent(one.currentShare)} compared with ${percent(one.previousShare)}${inChannels(one)}`,
      ),
    ),
  );
}

const inChannels = ({ channels }) => (channels.length ? `; ${channelsText(channels)}` : "");

/** "support (6 hotspots, 1 before)" */
const channelsText = (channels) =>
  list(
    channels.map(
      ({ channelId, daysHot, previousDaysHot }) =>
        `${channelId || "(empty id)"} (a hotspot ${shown(daysHot)} times, ${shown(previousDaysHot)} before)`,
    ),
  );
