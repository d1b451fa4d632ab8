// Against the truth, where it is known: IoU a class for attention and masks, and what the error colours mean.
import { el } from "../ui.js";
import { OUTCOMES } from "./outcomes.js";
import { dot } from "./shares.js";
import { FUSION_TITLES, REFINED_TITLES } from "./words.js";

const IOU = "Intersection over union with the true mask, 0 to 100, higher is better";

export class TruthSection {
  /** `threshold` is the row of the attention's threshold, `chosen()` tells which fusion and which refinement there is, `onErrors()` turns the error colours on or off. */
  constructor({ threshold, chosen, onErrors }) {
    this.chosen = chosen;
    this.body = el("tbody");
    this.head = el("thead");
    this.errors = el("button", { type: "button", class: "tm-button small", title: "Colour every mask by what is right and wrong about it (E)", onclick: () => onErrors() }, "Error overlay");
    this.legend = el("ul", { class: "tmv-outcomes", "aria-label": "Colours of the errors" },
      OUTCOMES.map(({ name, colour, about }) => el("li", { title: about }, dot(colour), name)));
    this.root = el("section", { class: "tmv-section tmv-truth", "aria-label": "Against the truth", hidden: true },
      el("div", { class: "tmv-section-head" }, el("h3", { title: "The true mask that came with this image; nothing here is used to make masks" }, "Against the truth"), this.errors),
      el("table", { class: "tmv-iou" }, this.head, this.body), threshold, this.legend);
  }

  /** Marks whether the error colours are on; their legend comes into sight with them. */
  mark(on) {
    this.errors.setAttribute("aria-pressed", String(on));
    if (on) this.legend.scrollIntoView({ block: "nearest" });
  }

  /** The figures of this side are being made again. */
  expect() {
    this.root.classList.add("stale");
  }

  /** Shows what is known of these sides; hidden where the image has no truth. */
  render(sides, truth) {
    this.root.hidden = !truth;
    if (!truth) return;
    this.root.classList.toggle("stale", sides.some((side) => side.panels.get("truth.error")?.root.classList.contains("stale")));
    const { fusion, refine } = this.chosen();
    const columns = [["truth.attention", "Attention", "The strongest tag where its final attention reaches the threshold below"], [`fusion.${fusion}`, FUSION_TITLES[fusion], "The labels of this fusion, which go on to the refinement"]];
    if (refine in REFINED_TITLES) columns.push([refine, REFINED_TITLES[refine], "The refined mask"]);
    const found = sides.map((side) => columns.map(([stage]) => side.panels.get(stage)?.header?.details ?? {}));
    this.head.replaceChildren(el("tr", {}, el("th", { colspan: sides.length > 1 ? 2 : 1 }, "IoU"), columns.map(([, title, about]) => el("th", { class: "number", title: `${about}. ${IOU}` }, title))));
    const classes = [...new Set(found.flat().flatMap((details) => Object.keys(details.iou ?? {})))];
    const rows = classes.map((name) => [[dot(name === "background" ? "var(--tm-line-strong)" : sides[0].colourOf(name)), name], found.map((side) => side.map((details) => details.iou?.[name])), name]);
    rows.push([["mean"], found.map((side) => side.map((details) => details.miou)), "The mean over the classes that the truth has"]);
    this.body.replaceChildren(...rows.flatMap(([label, values, about], at) => values.map((row, side) =>
      el("tr", { class: [at === rows.length - 1 ? "mean" : "", side ? "second" : ""].join(" ").trim() || null },
        side === 0 ? el("td", { title: about, rowspan: values.length }, label) : null,
        sides.length > 1 ? el("td", { class: "tmv-letter" }, sides[side].letter) : null,
        row.map((value, column) => el("td", { class: best(values, side, column) ? "number best" : "number", title: `${about}: ${IOU}` }, value === undefined ? "–" : (value * 100).toFixed(1)))))));
  }
}

/** Is this side's figure higher than the other's? */
function best(values, side, column) {
  const other = values[1 - side]?.[column];
  return values.length > 1 && values[side][column] !== undefined && other !== undefined && values[side][column] > other + 0.0005;
}
