// What the maps say: their values at one pixel, and the scores of the mask.
import { el, formatNumber } from "../ui.js";
import { IGNORE, ZONES, table } from "./colours.js";
import { SCORES, STAGE_TEXT, verdict } from "./words.js";

export class Readout {
  constructor(shared, film) {
    this.shared = shared;
    this.film = film;
    this.where = el("span", { class: "tm-faint", title: "Column and row from the upper left, in pixels" });
    this.body = el("tbody");
    this.root = el("section", { class: "tmv-section tmv-readout", "aria-label": "Values at the pixel" },
      el("div", { class: "tmv-section-head" }, el("h3", {}, "Pixel"), this.where),
      el("table", { class: "tmv-values" }, el("thead", { class: "tm-visually-hidden" }, el("tr", {}, el("th", {}, "Stage"), el("th", {}, "Tag"), el("th", {}, "Value"))), this.body));
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
    const point = this.shared.camera.point;
    const { width, height } = this.shared.size();
    if (!point) {
      this.where.textContent = "";
      this.body.replaceChildren(el("tr", {}, el("td", { colspan: 3, class: "tmv-none" }, "Move over a picture to read every map there; click to keep the pixel.")));
      return;
    }
    const x = Math.min(Math.floor(point.x * width), width - 1);
    const y = Math.min(Math.floor(point.y * height), height - 1);
    this.where.textContent = `x ${x}, y ${y}${this.shared.camera.cursor ? "" : " · kept"}`;
    this.body.replaceChildren(...[...this.film.panels.values()].map((panel) => this.#row(panel, point)).filter(Boolean));
  }

  #row(panel, point) {
    const kind = panel.header?.kind;
    const text = STAGE_TEXT[panel.stage];
    if (kind === "image") {
      const rgb = this.shared.photo()?.at(point);
      if (!rgb) return null;
      const colour = `rgb(${rgb.join(", ")})`;
      return row(text, null, [el("i", { class: "tmv-dot square", style: { background: colour } }), rgb.join(" ")], "Red, green and blue, 0 to 255");
    }
    const value = panel.valueAt(point);
    if (value === null) return null;
    if (kind === "zones") {
      const zone = ZONES.find((each) => each.value === value);
      return row(text, null, [el("i", { class: "tmv-dot", style: { background: `var(${zone.token})` } }), zone.name], zone.title);
    }
    if (kind === "labels") {
      const name = value === 0 ? "background" : value === IGNORE ? "ignore" : this.shared.nameOf(value);
      const colour = value === 0 || value === IGNORE ? "var(--tm-line-strong)" : this.shared.colourOfTag(name);
      return row(text, null, [el("i", { class: "tmv-dot", style: { background: colour } }), name], `Class id ${value}`);
    }
    if (kind === "score") return row(text, null, [value > 127 ? "object" : "rest"], "What the mask is scored against");
    const share = value / 255;
    const packed = table(this.shared.view.colourMap)[value];
    const colour = `rgb(${packed & 255}, ${(packed >> 8) & 255}, ${(packed >> 16) & 255})`;
    const bar = el("span", { class: "tmv-bar" }, el("i", { style: { width: `${share * 100}%`, background: colour } }));
    return row(text, panel.tag, [bar, formatNumber(share, 2)], `${text.title}, 0 to 1`);
  }
}

function row(text, tag, value, title) {
  return el("tr", { title }, el("td", {}, el("span", { class: "tmv-step" }, text.step), text.title), el("td", { class: "tmv-of" }, tag ?? ""), el("td", { class: "tmv-value" }, value));
}

export class Scores {
  /** `onOffer(stage)` makes a candidate of the mask shown. */
  constructor({ onOffer, readOnly }) {
    this.meters = {};
    this.sentence = el("p", { class: "tmv-verdict" });
    this.caption = el("span", { class: "tm-faint" });
    this.offer = el("button", { type: "button", class: "tm-button primary", disabled: true, title: "Put this mask into the Curate queue, with its scores", onclick: () => onOffer() }, "Offer as candidate");
    const meters = Object.entries(SCORES).map(([name, { title, about }]) => {
      const value = el("output", { class: "tmv-score-value" }, "–");
      const bar = el("i");
      this.meters[name] = { value, bar };
      return el("div", { class: `tmv-score${name === "SC" ? " whole" : ""}`, title: about }, el("span", { class: "tmv-score-name" }, el("b", {}, name), title), value, el("span", { class: "tmv-meter" }, bar));
    });
    this.root = el("section", { class: "tmv-section tmv-scores", "aria-label": "Mask score" },
      el("div", { class: "tmv-section-head" }, el("h3", {}, "Mask score"), this.caption), meters, this.sentence, readOnly ? null : this.offer);
    this.clear();
  }

  clear() {
    for (const { value, bar } of Object.values(this.meters)) { value.textContent = "–"; bar.style.width = "0"; }
    this.sentence.textContent = "Appears when the mask is made.";
    this.caption.textContent = "";
    this.offer.disabled = true;
  }

  expect() {
    this.root.classList.add("stale");
  }

  receive(header) {
    this.root.classList.remove("stale");
    if (header.kind !== "score") {
      this.clear();
      this.sentence.textContent = header.caption;
      return;
    }
    for (const [name, { value, bar }] of Object.entries(this.meters)) {
      value.textContent = formatNumber(header.numbers[name], 2);
      bar.style.width = `${header.numbers[name] * 100}%`;
    }
    this.sentence.textContent = verdict(header.numbers);
    this.root.title = header.caption;
    this.offer.disabled = header.numbers.CD === 0;
  }
}
