// What the maps say at one pixel: every stage's value, of one side or of both beside each other.
import { el } from "../ui.js";
import { readingNodes } from "./kinds.js";
import { stageText } from "./words.js";

export class Readout {
  constructor(shared, film) {
    this.shared = shared;
    this.film = film;
    this.where = el("span", { class: "tm-faint", title: "Column and row from the upper left, in pixels" });
    this.body = el("tbody");
    this.table = el("table", { class: "tmv-values" }, el("thead", { class: "tm-visually-hidden" }, el("tr", {}, el("th", {}, "Stage"), el("th", {}, "Tag"), el("th", {}, "Value"))), this.body);
    this.root = el("section", { class: "tmv-section tmv-readout", "aria-label": "Values at the pixel" },
      el("div", { class: "tmv-section-head" }, el("h3", {}, "Pixel"), this.where), el("div", { class: "tmv-readout-scroll" }, this.table));
    let wanted = false;
    const later = () => {
      if (wanted) return;
      wanted = true;
      requestAnimationFrame(() => { wanted = false; this.render(); });
    };
    shared.camera.addEventListener("point", later);
    this.later = later;
  }

  render() {
    const { point } = this.shared.camera;
    const sides = this.film.sides();
    const two = sides.length > 1;
    this.table.classList.toggle("compare", two);
    const { width, height } = this.shared.size();
    if (point) {
      const x = Math.min(Math.floor(point.x * width), width - 1);
      const y = Math.min(Math.floor(point.y * height), height - 1);
      this.where.textContent = `x ${x}, y ${y}${this.shared.camera.cursor ? "" : " · kept"}`;
    } else this.where.textContent = "Move over a picture; click to keep";
    // Without a point the rows stay, empty, so that nothing jumps when the pointer comes back.
    const rows = two ? this.#rowsOfTwo(sides, point) : [...sides[0].panels.values()].filter(({ absorbed }) => !absorbed).map((panel) => this.#row(panel, point));
    this.body.replaceChildren(...rows.filter(Boolean));
  }

  #row(panel, point) {
    const read = readAt(panel, point);
    return read && el("tr", { title: read.title }, name(panel.stage, panel.step.textContent), el("td", { class: "tmv-of" }, panel.tag ?? ""), el("td", { class: "tmv-value" }, readingNodes(read, { bar: true })));
  }

  /** One row for each stage and tag that either side has; the final maps of both share one. */
  #rowsOfTwo(sides, point) {
    const rows = new Map();
    sides.forEach((side, at) => {
      for (const panel of side.panels.values()) {
        const key = panel.stage === side.final ? `final:${panel.tag}` : panel.key;
        if (!rows.has(key)) rows.set(key, []);
        rows.get(key)[at] = panel;
      }
    });
    const head = el("tr", { class: "tmv-values-head" }, el("td", { colspan: 2 }), sides.map(({ letter }) => el("td", { class: "tmv-value" }, el("span", { class: "tmv-badge", dataset: { side: letter } }, letter))));
    const order = sides.flatMap((side) => [...side.own.filter((stage) => stage !== side.final)]);
    const rank = ([a, b]) => { const { stage } = a ?? b; return stage === "image" ? 0 : order.includes(stage) ? 1 : 2; };
    const body = [...rows.values()].sort((one, other) => rank(one) - rank(other)).map((panels) => this.#pair(panels, sides, point));
    return [head, ...body];
  }

  #pair(panels, sides, point) {
    const reads = sides.map((_, at) => (panels[at] ? readAt(panels[at], point) : null));
    if (!reads.some(Boolean)) return null;
    const panel = panels[0] ?? panels[1];
    const final = panels.every((each) => each && each.stage === each.side.final);
    const difference = final ? this.film.differences.panels.get(`difference:${panel.tag}`) : null;
    const by = point && difference?.readAt(point);
    return el("tr", { title: by ? `A − B ${by.text}` : null }, final ? name("final") : name(panel.stage), el("td", { class: "tmv-of" }, panel.tag ?? ""),
      reads.map((read) => el("td", { class: "tmv-value", title: read?.title }, read ? readingNodes(read) : el("span", { class: "tm-faint" }, "–"))));
  }
}

/** How a panel reads at a point; without one, a row that waits for it. */
function readAt(panel, point) {
  if (point) return panel.readAt(point);
  return panel.header && panel.header.kind !== "note" ? { text: "" } : null;
}

function name(stage, step = null) {
  return el("td", {}, step ? el("span", { class: "tmv-step" }, step) : null, stage === "final" ? "Attention" : stageText(stage).title);
}
