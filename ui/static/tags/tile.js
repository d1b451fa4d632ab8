// One image of the grid: its picture, its tags, and what the classifier says of them.
import { el } from "../ui.js";
import { questionsOf } from "./deck.js";

/** A tile without an image yet; `fill` and `mark` turn it into one. Tiles are used again as the grid scrolls. */
export function newTile() {
  const picture = el("img", { alt: "", draggable: "false", decoding: "async" });
  const chips = el("div", { class: "ta-chips" });
  const tile = el("div", { class: "ta-tile", role: "option", "aria-selected": "false" },
    el("div", { class: "ta-picture" }, picture, el("span", { class: "ta-check", "aria-hidden": "true" }, "✓")), chips);
  picture.addEventListener("load", () => tile.classList.add("here"));
  picture.addEventListener("error", () => tile.classList.add("gone"));
  return Object.assign(tile, { picture, chips, shown: null, wanted: "" });
}

/** Shows an image's tags and questions; `row` is null while they are not here. */
export function fill(tile, id, place, row, { classes, view, total }) {
  // What is written again though it is the same costs style and layout all the same, for each tile in each frame.
  const at = `${id} ${place} ${total}`;
  if (tile.at !== at) {
    tile.at = at;
    tile.id = `ta-${id}`;
    tile.dataset.place = place;
    tile.setAttribute("aria-posinset", place + 1);
    tile.setAttribute("aria-setsize", total);
  }
  const said = row && JSON.stringify([row.id, row.tags, row.scores, view.show, view.least, view.most]);
  if (tile.shown === said && said !== null) return;
  tile.shown = said;
  tile.dataset.name = row?.name ?? "";
  if (!row) {
    tile.chips.replaceChildren();
    tile.setAttribute("aria-label", "Loading");
    return;
  }
  const { suggested, doubted } = questionsOf(row, view);
  const doubts = new Map(doubted);
  const nameOf = (tag) => classes.get(tag)?.name ?? `class ${tag}`;
  const tags = row.tags.map((tag) => chip(classes.get(tag), nameOf(tag), doubts.get(tag), "doubted"));
  const more = suggested.slice(0, 3).map(([tag, score]) => chip(classes.get(tag), nameOf(tag), score, "suggested"));
  // What the list is about comes first, where it is seen.
  const shown = view.show === "suggested" ? [...more.slice(0, 1), ...tags, ...more.slice(1)] : [...tags, ...more];
  tile.chips.replaceChildren(...(shown.length ? shown : [el("span", { class: "ta-none" }, "no tags")]));
  tile.setAttribute("aria-label", [
    row.name,
    row.tags.length ? `tagged ${row.tags.map(nameOf).join(", ")}` : "no tags",
    suggested.length ? `suggested ${suggested.map(([tag, score]) => `${nameOf(tag)} ${percent(score)}`).join(", ")}` : null,
    doubted.length ? `doubted ${doubted.map(([tag, score]) => `${nameOf(tag)} ${percent(score)}`).join(", ")}` : null,
  ].filter(Boolean).join("; "));
  tile.title = row.name;
}

/** 0.934 -> "93 %": how sure the classifier is. */
export function percent(score) {
  return `${Math.round(100 * score)} %`;
}

/** A tag with its colour; with a score it is one that the classifier suggests or doubts. */
export function chip(known, name, score, kind) {
  return el("span", { class: `ta-chip${score === undefined ? "" : ` ${kind}`}`, title: score === undefined ? null : `${kind}: the classifier is ${percent(score)} sure of ${name}` },
    el("i", { style: { background: known?.colour ?? "var(--tm-text-3)" } }), el("span", {}, name), score === undefined ? null : el("b", {}, percent(score)));
}
