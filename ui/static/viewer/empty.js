// What a workspace without images shows.
import { barred, el } from "../ui.js";

const STEPS = [
  ["Drop a photograph", "One, many, or a zip of them", "M3 5.5A1.5 1.5 0 0 1 4.5 4h15A1.5 1.5 0 0 1 21 5.5v13a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18.5zM3 16l5-5 4 4 3-3 6 6M15.5 8.5h.01"],
  ["Name what is in it", "A tag or two: cat, boat", "M3 4.5h7.5l10 10-7 7-10-10zM7.25 8.5h.01"],
  ["See where it is", "Every step from tag to mask", "M4 4h4M4 4v4M20 4h-4M20 4v4M4 20h4M4 20v-4M20 20h-4M20 20v-4M7.5 14.5c.5-4 2.5-6 4.5-6 3 0 2.5 2.5 4.5 3 0 2.5-2 4-4.5 4-2 0-3-.5-4.5-1z"],
];

/** Three steps and the way to begin; `onBrowse` null where nothing may be added. */
export function emptyState(onBrowse) {
  return el("div", { class: "tm-empty tmv-empty", hidden: true },
    el("h2", {}, "From a tag to a mask, every step in sight"),
    el("ol", { class: "tmv-steps" }, STEPS.map(([title, about, path]) =>
      el("li", {}, el("svg:svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, el("svg:path", { d: path })), el("b", {}, title), el("span", {}, about)))),
    onBrowse
      ? el("button", { type: "button", class: "tm-button primary", onclick: onBrowse }, "Choose photographs")
      : el("p", {}, `This workspace has no images yet. ${barred("trainer")}`));
}
