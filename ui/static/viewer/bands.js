// Two columns: the stages of both sides in bands, so that what can be compared stands in one row.
import { el } from "../ui.js";
import { BANDS } from "./words.js";

/** The shown panels of a side by band: its own steps, its final maps and zones, the masks, the truth. */
function bandsOf(side, panels) {
  const bands = { steps: [], final: [], masks: [], truth: [] };
  for (const panel of panels) {
    const { stage } = panel;
    if (stage.startsWith("truth")) bands.truth.push(panel);
    else if (stage === side.final || stage === "zones") bands.final.push(panel);
    else if (stage === "image" || side.own.includes(stage)) bands.steps.push(panel);
    else bands.masks.push(panel);
  }
  return bands;
}

/** The elements of the bands in order. `shownOf(side)` are its panels, `differences` those in the middle. */
export function bandElements(sides, shownOf, differences) {
  const [a, b] = sides.map((side) => bandsOf(side, shownOf(side)));
  if (a.steps.length <= 1 && b.steps.length <= 1) {
    for (const bands of [a, b]) bands.final = [...bands.steps.splice(0), ...bands.final];
  }
  return Object.keys(a).flatMap((name) => {
    if (!a[name].length && !b[name].length) return [];
    const middle = name === "final" && differences.length ? [heading("difference"), el("div", { class: "tmv-cell middle" }, roots(differences))] : [];
    return [heading(name), ...[a, b].map((bands, at) => el("div", { class: "tmv-cell", dataset: { side: sides[at].letter } }, roots(bands[name]))), ...middle];
  });
}

/** The panel that stands opposite of one: the same stage and tag, else the final map of the tag, else the first one. */
export function counterpart(panel, other) {
  const same = other.panels.get(panel.key);
  if (same && !same.absorbed) return same;
  return other.panels.get(`${other.final}:${panel.tag}`) ?? other.panelsOf(other.final)[0] ?? null;
}

function heading(name) {
  return el("h4", { class: "tmv-band", title: BANDS[name].about }, BANDS[name].title);
}

function roots(panels) {
  return panels.map(({ root }) => root);
}
