// The difference by class: IoU on both sides and what changed; a click narrows everything to one class.
import { el, formatNumber } from "../ui.js";
import { bar } from "./list.js";
import { points } from "./measures.js";

export class ClassTable {
  /** `onClass(id or null)` hears which class was chosen. */
  constructor(onClass) {
    this.onClass = onClass;
    this.body = el("tbody");
    this.head = el("tr");
    this.about = el("p", { class: "cp-note" });
    this.root = el("section", { class: "cp-part cp-classes", "aria-label": "Difference by class" }, el("h3", {}, "By class"), this.about,
      el("table", { class: "cp-table" }, el("thead", {}, this.head), this.body));
  }

  /** Shows a summary; `classes` are [{id, name, colour}], `chosen` the class that everything is narrowed to. */
  show(summary, classes, chosen) {
    const names = new Map([[0, { name: "background", colour: "var(--tm-line-strong)" }], ...classes.map((each) => [each.id, each])]);
    const { truth, agreement } = summary ?? {};
    const of = truth ? Object.keys({ ...truth.a.iou, ...truth.b.iou }) : Object.keys(agreement?.iou ?? {});
    this.root.hidden = !of.length;
    if (!of.length) return;
    const heading = (text, title) => el("th", { scope: "col", class: "number", title }, text);
    this.about.textContent = truth ? `IoU in per cent over ${formatNumber(truth.images)} image${truth.images === 1 ? "" : "s"} with a true mask` : `How far A and B agree, in per cent, over ${formatNumber(summary.images)} images; none has a true mask`;
    this.head.replaceChildren(el("th", { scope: "col" }, "Class"), ...(truth
      ? [heading("A", "IoU of A over the whole set"), heading("B", "IoU of B over the whole set"), heading("B − A", "What B is better by, in points"), el("th", { class: "cp-bar-head" })]
      : [heading("alike", "IoU of A's pixels of the class with B's")]));
    const rows = of.map((key) => {
      const id = Number(key);
      const [one, two] = truth ? [truth.a.iou[key], truth.b.iou[key]] : [agreement.iou[key], null];
      return { id, one, two, change: truth ? two - one : one, ...(names.get(id) ?? { name: `class ${id}`, colour: "#8a8a8a" }) };
    }).sort((one, other) => (truth ? other.change - one.change : one.change - other.change));
    const largest = Math.max(0.0001, ...rows.map(({ change }) => Math.abs(change)));
    this.body.replaceChildren(...rows.map((row) => this.#row(row, truth, largest, chosen)));
  }

  #row({ id, name, colour, one, two, change }, truth, largest, chosen) {
    const pick = el("button", { type: "button", class: "cp-class", "aria-pressed": String(id === chosen), title: id === chosen ? "Back to all classes" : `Only images with ${name}, and its IoU alone`, onclick: () => this.onClass(id === chosen ? null : id) },
      el("i", { class: "cp-dot", style: { background: colour } }), el("span", {}, name));
    const number = (value) => el("td", { class: "number" }, formatNumber(100 * value, 1));
    return el("tr", { class: id === chosen ? "chosen" : null }, el("th", { scope: "row" }, pick), number(one),
      ...(truth ? [number(two), el("td", { class: "number" }, el("b", {}, points(change))), el("td", { class: "cp-bar-cell" }, bar(change / largest))] : []));
  }
}
