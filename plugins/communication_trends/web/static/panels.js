// The panels that are no charts: the cards, the gaps, the ranking, the hotspots.

import { h } from "./dom.js";
import { count, longDay, shortDay, shown, span } from "./words.js";

export const PAGE_SIZE = 25;
const SHOWN_GAPS = 8;
const LEVELS = [
  [60, "high"],
  [40, "elevated"],
  [20, "some"],
  [0, "low"],
];

/** A panel's title, what it is about, and its numbers as CSV. */
const head = (id, title, about, csv) =>
  h(
    "div",
    { class: "panel-head" },
    h("h2", { id }, title),
    h("span", { class: "about" }, about),
    h(
      "a",
      { class: "download", href: csv, download: true, "aria-label": `${title} as CSV` },
      "CSV",
    ),
  );

const headings = (columns) =>
  h(
    "thead",
    {},
    h(
      "tr",
      {},
      columns.map(([text, name]) => h("th", { scope: "col", class: name }, text)),
    ),
  );

const organizationLink = (organization, show) =>
  h(
    "button",
    {
      class: "link wrap",
      type: "button",
      onclick: () => show({ organization: organization.slug }),
    },
    organization.name,
  );

/** Draw the four figures of a week against the week before. */
export function drawCards(box, periods, trends) {
  const { current, previous } = periods;
  const missing = current.missingDays + previous.missingDays;
  const why = missing ? `${count(missing, "day")} missing` : "fewer than three days";
  const against = current.days
    ? `${span(current)} against ${span(previous)}`
    : "No day of this week is over yet.";
  const card = (id, name, unit, worse) => {
    const { current: value, changePercent: change } = periods[id];
    return h(
      "article",
      { class: "panel card", id: `card-${id}` },
      h(
        "div",
        { class: "name" },
        h("span", {}, name),
        periods.incomplete ? h("span", { class: "badge", title: why }, "incomplete") : null,
      ),
      h("div", { class: "value" }, shown(value), value === null ? null : h("small", {}, unit)),
      h("div", { class: `change ${mood(change, worse)}` }, moved(change)),
      h(
        "div",
        { class: "against" },
        periods.incomplete && current.days ? `${against} (${why})` : against,
      ),
    );
  };
  box.replaceChildren(
    card("totalClassifications", "Messages in the week", "", 0),
    card("escalations", "Escalation alerts", "", 1),
    card("riskScore", "Risk", " % complaints and escalations", 1),
    card("avgConfidence", "Average confidence", " %", -1),
  );
  // the range's own mean, beside the week's
  const whole = `${shown(trends.totals.avgConfidence)} % over the whole range`;
  box.lastElementChild.querySelector(".against").append(h("br"), whole);
}

function moved(change) {
  if (change === null) return "nothing to compare with";
  if (Math.abs(change) < 0.05) return "unchanged";
  return `${change > 0 ? "▲" : "▼"} ${shown(Math.abs(change))} %`;
}

function mood(change, worse) {
  if (change === null) return "none";
  if (!change || !worse) return "";
  return Math.sign(change) === worse ? "bad" : "good";
}

/** Draw the days without a trend, each with the offer to run the DAG for it. */
export function drawGaps(box, trends, offer) {
  const missing = trends.days.filter((day) => day.missing).map((day) => day.date);
  box.hidden = !missing.length;
  if (box.hidden) return;
  const more = missing.length - SHOWN_GAPS;
  box.replaceChildren(
    h(
      "h2",
      { id: "gaps-title" },
      h("i", { class: "hatched", "aria-hidden": "true" }),
      `${count(missing.length, "day")} without a trend`,
    ),
    ...missing
      .toReversed()
      .slice(0, SHOWN_GAPS)
      .map((date) =>
        h(
          "button",
          {
            type: "button",
            "data-date": date,
            "aria-label": `Run the DAG for ${longDay(date)}`,
            onclick: () => offer(date),
          },
          `${shortDay(date)} `,
          h("span", { class: "do" }, "Run"),
        ),
      ),
    ...(more > 0
      ? [h("span", { class: "more" }, `and ${more} more; a backfill makes them in one go`)]
      : []),
  );
}

function risk(score) {
  if (score === null) return h("span", { class: "risk low" }, "–");
  const [, level] = LEVELS.find(([from]) => score >= from);
  return h("span", { class: `risk ${level}` }, `${score} %`, h("small", {}, level));
}

const SPARK = { width: 180, height: 30, top: 28 };

/** Messages a day as small bars, the risky ones marked. */
function spark({ dailyClassifications: total, dailyRiskyClassifications: risky }) {
  const most = Math.max(1, ...total);
  const step = SPARK.width / total.length;
  const bar = (name, index, height) =>
    h("rect", {
      class: name,
      x: index * step,
      width: Math.max(step * 0.82, 0.6),
      y: SPARK.height - height,
      height,
    });
  const size = (value) => (value / most) * SPARK.top;
  const bars = total.flatMap((value, index) =>
    value === null
      ? [bar("none", index, 1.5)]
      : [bar("all", index, size(value)), bar("risky", index, size(risky[index]))],
  );
  const about = `Messages a day, complaints and escalations marked: at most ${shown(most)} a day`;
  return h(
    "svg",
    {
      class: "spark",
      viewBox: `0 0 ${SPARK.width} ${SPARK.height}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-label": about,
    },
    ...bars,
  );
}

const RANKING = [
  ["#", "number optional"],
  ["Organization", ""],
  ["Risk", ""],
  ["Messages a day", ""],
  ["Messages", "number optional"],
  ["Alerts", "number"],
  ["Hot channels", "number optional"],
  ["Confidence", "number optional"],
  ["Days", "number optional"],
];

/** Draw the organizations, the riskiest first, one page of them; nothing for null. */
export function drawRanking(box, overview, { offset, csv, show }) {
  box.hidden = !overview;
  if (!overview) return;
  const about =
    "Share of complaints and escalations over the range; those with few messages come last.";
  const title = head("ranking-title", "Organizations by risk", about, csv);
  if (!overview.totalEntries) {
    box.replaceChildren(title, h("p", { class: "empty" }, "There are no organizations yet."));
    return;
  }
  box.replaceChildren(
    title,
    h(
      "div",
      { class: "scroll-x" },
      h(
        "table",
        {},
        headings(RANKING),
        h(
          "tbody",
          {},
          overview.organizations.map((entry) => rankingRow(entry, show)),
        ),
      ),
    ),
    ...(overview.totalEntries > PAGE_SIZE ? [pager(overview.totalEntries, offset, show)] : []),
  );
}

function rankingRow(entry, show) {
  const critical = entry.criticalEscalations
    ? h("small", {}, ` (${shown(entry.criticalEscalations)} critical)`)
    : null;
  const number = (...children) => h("td", { class: "number optional" }, ...children);
  return h(
    "tr",
    {},
    number(entry.rank),
    h("td", {}, organizationLink(entry.organization, show)),
    h("td", {}, risk(entry.riskScore)),
    h("td", {}, spark(entry)),
    number(shown(entry.totalClassifications)),
    h("td", { class: "number" }, shown(entry.escalations), critical),
    number(shown(entry.hotspotCount)),
    number(entry.avgConfidence === null ? "–" : `${entry.avgConfidence} %`),
    number(`${entry.daysStored}/${entry.dailyClassifications.length}`),
  );
}

function pager(total, offset, show) {
  const last = Math.min(offset + PAGE_SIZE, total);
  const turn = (text, to, possible) =>
    h(
      "button",
      { class: "plain", type: "button", disabled: !possible, onclick: () => show({ offset: to }) },
      text,
    );
  return h(
    "div",
    { class: "pager" },
    `${shown(offset + 1)}–${shown(last)} of ${shown(total)}`,
    turn("Previous", Math.max(0, offset - PAGE_SIZE), offset > 0),
    turn("Next", offset + PAGE_SIZE, last < total),
  );
}

/** Draw the channels that ran hot; with their organizations where the answer is about all. */
export function drawHotspots(box, { hotspots, totalEntries }, { every, csv, show }) {
  const about = "Channels in which complaints and escalations pile up, the riskiest first.";
  const title = head("hotspots-title", "Channel hotspots", about, csv);
  if (!hotspots.length) {
    box.replaceChildren(title, h("p", { class: "empty" }, "No channel ran hot in this range."));
    return;
  }
  const columns = [
    ["Channel", ""],
    ...(every ? [["Organization", ""]] : []),
    ["Risk", ""],
    ["Worst day", "number"],
    ["Hot days", "number"],
    ["Messages", "number optional"],
    ["Last hot day", "optional"],
  ];
  const row = (entry) =>
    h(
      "tr",
      {},
      h("td", {}, h("span", { class: "wrap" }, entry.channelId || "(empty id)")),
      every ? h("td", {}, organizationLink(entry.organization, show)) : null,
      h("td", {}, risk(entry.riskScore)),
      h("td", { class: "number" }, `${entry.peakRiskScore} %`),
      h("td", { class: "number" }, shown(entry.daysHot)),
      h("td", { class: "number optional" }, shown(entry.messageCount)),
      h("td", { class: "optional" }, shortDay(entry.lastHotDay)),
    );
  const rest = `The first ${hotspots.length} of ${shown(totalEntries)}; the CSV has more.`;
  box.replaceChildren(
    title,
    h("table", {}, headings(columns), h("tbody", {}, hotspots.map(row))),
    ...(totalEntries > hotspots.length ? [h("p", { class: "pager" }, rest)] : []),
  );
}
