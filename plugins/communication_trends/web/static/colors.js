// The colors of series, by theme. tests/web/page/colors.test.js holds neighbors apart for every color vision.

export const PALETTES = {
  light: {
    // worst first, the order in which they are stacked
    topics: {
      escalation: "#b3210f",
      complaint: "#e9b85a",
      technical: "#3a56ba",
      request: "#a9d4f1",
      status_update: "#1b8c60",
      scheduling: "#5e415f",
      general: "#96999f",
    },
    tones: {
      angry: "#a3200f",
      frustrated: "#dd9411",
      tense: "#f0dfa0",
      neutral: "#a3afc2",
      positive: "#1c69ab",
    },
    escalations: { critical: "#8c1d0a", high: "#dd7a1c", medium: "#f7d3a6" },
    others: ["#65699d", "#9d7948", "#7fd0d2", "#7d2e41", "#b9cb68"],
    line: "#0b5cad",
    risk: "#b3210f",
  },
  dark: {
    topics: {
      escalation: "#c4301f",
      complaint: "#f6b869",
      technical: "#3350b8",
      request: "#7cccfe",
      status_update: "#51906a",
      scheduling: "#a264b0",
      general: "#c4c7ce",
    },
    tones: {
      angry: "#b8321f",
      frustrated: "#e09a24",
      tense: "#f2e4ab",
      neutral: "#93a0b4",
      positive: "#2474b8",
    },
    escalations: { critical: "#ab2a16", high: "#e28433", medium: "#f3d3ae" },
    others: ["#7b80d0", "#937c5f", "#89dbdd", "#934463", "#bdcb6d"],
    line: "#6cb2f5",
    risk: "#ff8a66",
  },
};

/** What all that is not drawn by itself is together. */
export const REST = "#80858f";
