// A chart as a picture, with its title and key, to be put into a report; and all charts as they are printed.

import { byId, themed } from "./dom.js";

const WIDTH = 960;
const HEIGHT = 360;
const HEAD = 64;
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
  canvas.width = SCALE * WIDTH;
  canvas.height = SCALE * (HEAD + HEIGHT);
  const context = canvas.getContext("2d");
  context.scale(SCALE, SCALE);
  context.fillStyle = themed("--panel");
  context.fillRect(0, 0, WIDTH, HEAD + HEIGHT);
  writeHead(context, title, keysOf(id));
  context.drawImage(image, 0, HEAD, WIDTH, HEIGHT);
  const link = document.createElement("a");
  link.download = `${title.replaceAll(/[^\w]+/g, "-")}.png`;
  link.href = canvas.toDataURL("image/png");
  link.click();
}

/** Return the key of a chart as it is on the page: colors and texts. */
const keysOf = (id) =>
  [...byId(`${id}-legend`).querySelectorAll("[data-name]")]
    .filter((key) => key.getAttribute("aria-pressed") !== "false" && key.querySelector("i"))
    .map((key) => ({
      color: getComputedStyle(key.querySelector("i")).backgroundColor,
      text: key.childNodes[1].textContent.trim(),
    }));

function writeHead(context, title, keys) {
  const { fontFamily } = getComputedStyle(document.body);
  context.textBaseline = "middle";
  context.fillStyle = themed("--text");
  context.font = `600 16px ${fontFamily}`;
  context.fillText(title, 12, 18, WIDTH - 24);
  context.font = `12px ${fontFamily}`;
  let left = 12;
  for (const { color, text } of keys) {
    context.fillStyle = color;
    context.fillRect(left, 38, 10, 10);
    context.fillStyle = themed("--muted");
    context.fillText(text, left + 16, 44);
    left += 32 + context.measureText(text).width;
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
