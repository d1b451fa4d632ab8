// The kinds of pictures a stage can make: how each is painted, and how it reads at one pixel.
import { el, formatNumber } from "../ui.js";
import { IGNORE, SIDE_COLOURS, ZONES, paintCodes, paintDifference, paintHeat, paintLabels, paintReference, paintZones, table } from "./colours.js";
import { hatchSwatch } from "./hatch.js";
import { NOISE_RULES, noiseRule } from "./noise.js";
import { UNKNOWN, outcomeColour, outcomeName } from "./outcomes.js";
import { dot } from "./shares.js";
import { stageText } from "./words.js";

/**
 * Each kind has paint(panel, values, pixels), read(panel, value) -> {mark, text, title, share}, and where it needs them:
 * grey (the photograph beneath loses its colour), smooth (between pixels), outlined, hatches ([value, hatch] drawn on top).
 */
export const KINDS = {
  heat: {
    grey: true,
    smooth: true,
    paint: (panel, values, pixels) => paintHeat(values, pixels, panel.shared.view.colourMap),
    read: (panel, value) => {
      const packed = table(panel.shared.view.colourMap)[value];
      const colour = `rgb(${packed & 255}, ${(packed >> 8) & 255}, ${(packed >> 16) & 255})`;
      return { mark: dot(colour), colour, share: value / 255, text: formatNumber(value / 255, 2), title: `${stageText(panel.stage).title}, 0 to 1: more is stronger` };
    },
  },
  zones: {
    outlined: true,
    paint: (panel, values, pixels) => paintZones(values, pixels),
    read: (panel, value) => {
      const zone = ZONES.find((each) => each.value === value);
      return { mark: dot(`var(${zone.token})`), text: zone.name, title: zone.title };
    },
  },
  labels: {
    outlined: true,
    hatches: [[IGNORE, "ignored"]],
    paint: (panel, values, pixels) => paintLabels(values, pixels, (id) => panel.side.visibleColour(id)),
    read: (panel, value) => {
      const name = value === 0 ? "background" : value === IGNORE ? "ignore" : panel.side.nameOf(value);
      return { mark: value === IGNORE ? hatchSwatch("ignored") : dot(value === 0 ? "var(--tm-line-strong)" : panel.side.colourOf(name)), text: name, title: `Class id ${value}` };
    },
  },
  score: {
    outlined: true,
    paint: (panel, values, pixels) => paintReference(values, pixels),
    read: (panel, value) => ({ text: value > 127 ? "object" : "rest", title: "What the mask is scored against" }),
  },
  errors: {
    grey: true,
    outlined: true,
    hatches: [[UNKNOWN, "ignored"]],
    paint: (panel, values, pixels) => paintCodes(values, pixels, outcomeColour, 90),
    read: (panel, value) => ({ mark: value === UNKNOWN ? hatchSwatch("ignored") : dot(outcomeColour(value) ?? "var(--tm-line-strong)"), text: outcomeName(value), title: "What the mask says here, against the truth" }),
  },
  reliable: {
    outlined: true,
    hatches: Object.values(NOISE_RULES).filter(({ hatch }) => hatch).map(({ code, hatch }) => [code, hatch]),
    paint: (panel, values, pixels) => paintCodes(values, pixels, (code) => { const tag = keptTag(panel, code); return tag && !panel.side.tagHidden(tag) ? panel.side.colourOf(tag) : null; }),
    read: (panel, value) => {
      const tag = keptTag(panel, value);
      if (tag) return { mark: dot(panel.side.colourOf(tag)), text: tag, title: `Trusted as ${tag}` };
      const rule = noiseRule(value);
      return { mark: hatchSwatch(rule?.hatch), text: rule?.title ?? "removed", title: rule?.about };
    },
  },
  difference: {
    grey: true,
    smooth: true,
    paint: (panel, values, pixels) => paintDifference(values, pixels),
    read: (panel, value) => ({
      mark: dot(value === 0 ? "var(--tm-line-strong)" : SIDE_COLOURS[value > 0 ? "A" : "B"]),
      text: `${value > 0 ? "+" : value < 0 ? "−" : ""}${formatNumber(Math.abs(value) / 255, 2)}`,
      title: "A less B, −1 to 1: above 0 where A is stronger",
    }),
  },
};

/** The tag that pixels of this code of a reliable set were kept for, undefined where they were removed. */
function keptTag(panel, code) {
  return panel.header?.details?.legend?.find((entry) => entry.what === "kept" && entry.code === code)?.tag;
}

/** A reading as the nodes of a table's cell; `bar` draws a share's length too. */
export function readingNodes({ mark, colour, share, text }, { bar = false } = {}) {
  if (bar && share !== undefined) return [el("span", { class: "tmv-bar" }, el("i", { style: { width: `${share * 100}%`, background: colour } })), text];
  return [mark, text].filter(Boolean);
}
