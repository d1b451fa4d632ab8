// What the maps say at one pixel: every stage's value, of one side or of both beside each other.
import { el } from "../ui.js";
import { readingNodes } from "./kinds.js";
import { dot } from "./shares.js";
import { stageText } from "./words.js";

const LINGER = 300;

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
    let closing = null;
    // Between two pictures the pointer is over neither for a moment; that should not close it.
    shared.camera.addEventListener("point", () => {
      clearTimeout(closing);
      if (shared.camera.point) this.root.classList.add("open");
      else closing = setTimeout(() => this.root.classList.remove("open"), LINGER);
    });
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
    } else this.where.textContent = "Move over a picture; click keeps";
    if (!point) return;
    const rows = two ? this.#rowsOfTwo(sides, point) : [...sides[0].panels.values()].filter(({ absorbed }) => !absorbed).map((panel) => this.#row(panel, point));
    this.body.replaceChildren(...rows.filter(Boolean));
  }

  #row(panel, point) {
    const read = panel.readAt(point);
    // What is of no tag is said in words, which take the tag's place as well.
    const tag = panel.tag ? el("td", { class: "tmv-of", title: panel.tag }, panel.tag) : null;
    return read && el("tr", { title: read.title }, name(panel.stage, panel.step.textContent), tag, el("td", { class: "tmv-value", colspan: tag ? 1 : 2 }, readingNodes(read, { bar: true })));
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
    const head = el("tr", { class: "tmv-values-head" }, el("td"), sides.map(({ letter }) => el("td", { class: "tmv-value" }, el("span", { class: "tmv-badge", dataset: { side: letter } }, letter))));
    const steps = new Set(sides.flatMap((side) => side.own.filter((stage) => stage !== side.final)));
    const rank = (panels) => {
      const { stage, side } = panels[0] ?? panels[1];
      return stage === "image" ? 0 : steps.has(stage) ? 1 : stage === side.final ? 2 : stage === "zones" ? 3 : 4;
    };
    const body = [...rows.values()].sort((one, other) => rank(one) - rank(other)).map((panels) => this.#pair(panels, sides, point));
    return [head, ...body];
  }

  #pair(panels, sides, point) {
    const reads = sides.map((_, at) => panels[at]?.readAt(point) ?? null);
    if (!reads.some(Boolean)) return null;
    const panel = panels[0] ?? panels[1];
    // Both look at one photograph.
    if (panel.stage === "image") return el("tr", { title: reads[0]?.title }, el("td", {}, stageText("image").title), el("td", { class: "tmv-value", colspan: 2 }, readingNodes(reads[0] ?? reads[1])));
    const final = panels.every((each) => each && each.stage === each.side.final);
    const difference = final ? this.film.differences.panels.get(`difference:${panel.tag}`) : null;
    const by = difference?.readAt(point);
    return el("tr", { title: by ? `A − B ${by.text}` : null }, el("td", { class: "tmv-what" }, final ? "Attention" : stageText(panel.stage).title, panel.tag ? [" ", el("span", { title: panel.tag }, dot(panel.side.colourOf(panel.tag)))] : null),
      reads.map((read) => el("td", { class: "tmv-value", title: read?.title }, read ? readingNodes(read) : el("span", { class: "tm-faint" }, "–"))));
  }
}

function name(stage, step) {
  return el("td", {}, el("span", { class: "tmv-step" }, step), stageText(stage).title);
}
