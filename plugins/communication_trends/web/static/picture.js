// A chart as a picture, with its title and key, to be put into a report; and all charts as they are printed.

import { byId, themed } from "./dom.js";

const WIDTH = 960;
const HEIGHT = 360;
const MARGIN = 12;
/** Where the key begins, and how high each line of it is. */
const KEYS = 44;
const LINE = 20;
/** Pixels of the picture for each of the page's: sharp on paper. */
const SCALE = 2;

/**
 * Download a chart as PNG. Plotly's own way loads the picture from an address that the page's policy forbids.
 *
 * @param {string} id the chart's
 * @param {string} title what stands above it
 */
export async function downloadPicture(id, title) {
  const svg = await globalThis.Plotly.toImage(byId(id), {
    format: "svg",
    width: WIDTH,
    height: HEIGHT,
  });
  const image = new Image();
  image.src = svg;
  await image.decode();
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  context.font = fontOf("12px");
  const { places, lines } = placed(context, keysOf(id));
  const head = KEYS + lines * LINE;
  // resizing the canvas resets the font
  canvas.width = SCALE * WIDTH;
  canvas.height = SCALE * (head + HEIGHT);
  context.scale(SCALE, SCALE);
  context.fillStyle = themed("--panel");
  context.fillRect(0, 0, WIDTH, head + HEIGHT);
  writeHead(context, title, places);
  context.drawImage(image, 0, head, WIDTH, HEIGHT);
  const link = document.createElement("a");
  link.download = `${title.replaceAll(/[^\w]+/g, "-")}.png`;
  link.href = canvas.toDataURL("image/png");
  link.click();
}

/** Return the key of a chart as it is on the page: what each is drawn with, a color or a symbol, and its text. */
const keysOf = (id) =>
  [...byId(`${id}-legend`).children]
    .filter((key) => key.getAttribute("aria-pressed") !== "false" && key.querySelector("i, b"))
    .map((key) => {
      const mark = key.querySelector("i, b");
      const { backgroundColor, color } = getComputedStyle(mark);
      return {
        symbol: mark.textContent,
        pattern: mark.className,
        color: mark.textContent ? color : backgroundColor,
        text: key.childNodes[1].textContent.trim(),
      };
    });

/** Return the key with its places, in as many lines as it takes, and how many these are. */
function placed(context, keys) {
  let [left, line] = [MARGIN, 0];
  const places = keys.map((key) => {
    const width = 32 + context.measureText(key.text).width;
    if (left > MARGIN && left + width > WIDTH) [left, line] = [MARGIN, line + 1];
    const place = { ...key, left, top: KEYS + line * LINE };
    left += width;
    return place;
  });
  return { places, lines: line + 1 };
}

const fontOf = (style) => `${style} ${getComputedStyle(document.body).fontFamily}`;

function writeHead(context, title, places) {
  context.textBaseline = "middle";
  context.fillStyle = themed("--text");
  context.font = fontOf("600 16px");
  context.fillText(title, MARGIN, 18, WIDTH - 2 * MARGIN);
  context.font = fontOf("12px");
  for (const { symbol, pattern, color, text, left, top } of places) {
    context.fillStyle = color;
    if (symbol) context.fillText(symbol, left, top);
    else if (pattern) drawPattern(context, pattern, left, top - 5);
    else context.fillRect(left, top - 5, 10, 10);
    context.fillStyle = themed("--muted");
    context.fillText(text, left + 16, top);
  }
}

/** Draw ten pixels of what days without data, or not final, are filled with. */
function drawPattern(context, pattern, left, top) {
  context.strokeStyle = themed("--hatch");
  context.fillStyle = themed("--hatch");
  context.strokeRect(left + 0.5, top + 0.5, 9, 9);
  for (const at of [3, 7]) {
    if (pattern === "dotted") {
      for (const below of [3, 7]) context.fillRect(left + at - 0.5, top + below - 0.5, 1.5, 1.5);
    } else {
      context.beginPath();
      context.moveTo(left + at - 3, top + at + 3);
      context.lineTo(left + at + 3, top + at - 3);
      context.stroke();
    }
  }
}

/** Before printing, make the charts as large as they are on paper, and afterwards as they were. */
export function fitToPaper() {
  const plots = () => [...document.querySelectorAll(".plot.js-plotly-plot")];
  const size = { width: 400, height: 190, autosize: false };
  addEventListener("beforeprint", () => {
    for (const plot of plots()) globalThis.Plotly.relayout(plot, size);
  });
  addEventListener("afterprint", () => {
    for (const plot of plots())
      globalThis.Plotly.relayout(plot, { width: null, height: null, autosize: true });
  });
}
