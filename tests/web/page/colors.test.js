// Colors are told apart by everybody: held with CIEDE2000 in simulations of the three kinds of color blindness.

import assert from "node:assert/strict";
import test from "node:test";

import { PALETTES } from "../../../plugins/communication_trends/web/static/colors.js";

/** Distances that neighbors, and any two of a chart, must have; about 2 is just noticeable side by side. */
const NEIGHBORS = 15;
const ANY_TWO = 8;

// Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB
const SIMULATIONS = {
  "full color vision": [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function linear(color) {
  return [1, 3, 5].map((at) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

function seen(color, matrix) {
  const rgb = linear(color);
  return matrix.map((row) =>
    Math.min(1, Math.max(0, row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])),
  );
}

function lab([red, green, blue]) {
  const x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047;
  const y = 0.2126729 * red + 0.7151522 * green + 0.072175 * blue;
  const z = (0.0193339 * red + 0.119192 * green + 0.9503041 * blue) / 1.08883;
  const f = (t) => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  return [116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))];
}

/** CIEDE2000, after Sharma, Wu and Dalal (2005). */
function distance([l1, a1, b1], [l2, a2, b2]) {
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const chroma = (Math.hypot(a1, b1) + Math.hypot(a2, b2)) / 2;
  const g = 0.5 * (1 - Math.sqrt(chroma ** 7 / (chroma ** 7 + 25 ** 7)));
  const [x1, x2] = [a1 * (1 + g), a2 * (1 + g)];
  const [c1, c2] = [Math.hypot(x1, b1), Math.hypot(x2, b2)];
  const hue = (b, a) => (a === 0 && b === 0 ? 0 : ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360);
  const [h1, h2] = [hue(b1, x1), hue(b2, x2)];
  const grey = c1 * c2 === 0;
  let turn = grey ? 0 : h2 - h1;
  if (turn > 180) turn -= 360;
  if (turn < -180) turn += 360;
  const far = !grey && Math.abs(h1 - h2) > 180;
  const meanHue = grey ? h1 + h2 : (h1 + h2 + (far ? (h1 + h2 < 360 ? 360 : -360) : 0)) / 2;
  const [meanL, meanC] = [(l1 + l2) / 2, (c1 + c2) / 2];
  const t =
    1 -
    0.17 * Math.cos(radians(meanHue - 30)) +
    0.24 * Math.cos(radians(2 * meanHue)) +
    0.32 * Math.cos(radians(3 * meanHue + 6)) -
    0.2 * Math.cos(radians(4 * meanHue - 63));
  const sl = 1 + (0.015 * (meanL - 50) ** 2) / Math.sqrt(20 + (meanL - 50) ** 2);
  const sc = 1 + 0.045 * meanC;
  const sh = 1 + 0.015 * meanC * t;
  const rotation =
    -2 *
    Math.sqrt(meanC ** 7 / (meanC ** 7 + 25 ** 7)) *
    Math.sin(radians(60 * Math.exp(-(((meanHue - 275) / 25) ** 2))));
  const dl = (l2 - l1) / sl;
  const dc = (c2 - c1) / sc;
  const dh = (2 * Math.sqrt(c1 * c2) * Math.sin(radians(turn / 2))) / sh;
  return Math.sqrt(dl ** 2 + dc ** 2 + dh ** 2 + rotation * dc * dh);
}

test("the distance is the published one", () => {
  // pairs 1, 7 and 25 of Sharma's test data
  const near = (value, expected) => assert.ok(Math.abs(value - expected) < 0.0001, `${value}`);
  near(distance([50, 2.6772, -79.7751], [50, 0, -82.7485]), 2.0425);
  near(distance([50, 0, 0], [50, -1, 2]), 2.3669);
  near(distance([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387]), 1.2644);
});

for (const [theme, palette] of Object.entries(PALETTES)) {
  for (const [name, matrix] of Object.entries(SIMULATIONS)) {
    for (const field of ["topics", "tones", "escalations"]) {
      test(`${field}, ${theme} theme, ${name}`, () => {
        const entries = Object.entries(palette[field]);
        entries.forEach(([one, color], index) => {
          entries.slice(index + 1).forEach(([other, next], apart) => {
            const found = distance(lab(seen(color, matrix)), lab(seen(next, matrix)));
            // where one topic is absent, the two next to it are neighbors
            const least = apart < 2 ? NEIGHBORS : ANY_TWO;
            assert.ok(found >= least, `${one} and ${other}: ${found.toFixed(1)}`);
          });
        });
      });
    }
    test(`other topics, ${theme} theme, ${name}`, () => {
      palette.others.forEach((color, index, all) => {
        const next = all[(index + 1) % all.length];
        const found = distance(lab(seen(color, matrix)), lab(seen(next, matrix)));
        assert.ok(found >= NEIGHBORS, `${color} and ${next}: ${found.toFixed(1)}`);
      });
    });
  }
}
