// The settings: sliders with number fields, and which labels go on to the CRF.
import { el, formatNumber } from "../ui.js";
import { CONFIDENCE, CRF_SLIDERS, FUSION_TITLES, SLIDERS } from "./words.js";

export class SettingsPanel {
  /** `defaults`, `presets`, `saliency` (names) and `crf` {available, reason} come from the server; `onChange(names)` is told which changed. */
  constructor({ defaults, presets, saliency, crf, onChange }) {
    this.defaults = defaults;
    this.presets = presets;
    this.onChange = onChange;
    this.crfAvailable = crf.available;
    this.values = structuredClone(defaults);
    this.fields = new Map();
    const section = (title, about, ...rows) => el("fieldset", { class: "tmv-fieldset" }, el("legend", { title: about }, title), rows);
    const sliders = (name) => SLIDERS.filter((slider) => slider.section === name).map((slider) => this.#slider(slider, () => this.values, slider.name));
    this.reset = el("button", { type: "button", class: "tm-button quiet small", title: "Back to the papers' values", onclick: () => this.#resetAll() }, "Reset");
    this.root = el("section", { class: "tmv-section tmv-settings", "aria-label": "Settings" },
      el("div", { class: "tmv-section-head" }, el("h3", {}, "Settings"), this.reset),
      section("Zones", "Three zones cut out of the attention (SeeNet)", sliders("zones")),
      section("Fusion", "Attention and saliency put together", sliders("fusion"),
        this.#select("saliency", "Saliency", saliency.map((name) => [name, name]), "Where the saliency map comes from")),
      section("Refinement", "A dense CRF draws the labels to the image's edges",
        this.#select("fusion", "CRF refines", Object.entries(FUSION_TITLES), "Which labels go on to the CRF and are scored"),
        crf.available ? this.#crf() : el("p", { class: "tmv-none" }, crf.reason)),
    );
    this.#mark();
  }

  /** The settings as the server takes them. */
  json() {
    return structuredClone(this.values);
  }

  #slider({ title, about, min, max, step }, holder, name, changed = name) {
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    const range = el("input", { type: "range", min, max, step, "aria-label": title, title: about, oninput: () => set(Number(range.value)) });
    const number = el("input", { type: "number", class: "tmv-number", min, max, step, "aria-label": `${title}, as a number`, title: about, onchange: () => (number.value.trim() === "" ? show() : set(Number(number.value))) });
    const undo = el("button", { type: "button", class: "tmv-undo", "aria-label": `Reset ${title}`, onclick: () => set(this.#default(holder, name)) }, "↺");
    const show = () => {
      const value = holder()?.[name];
      if (value === undefined) return;
      range.value = value;
      range.style.setProperty("--share", (value - min) / (max - min));
      number.value = value.toFixed(digits);
      const standard = this.#default(holder, name);
      undo.hidden = value === standard;
      undo.title = `Back to ${formatNumber(standard, digits)}`;
    };
    const set = (value) => {
      if (!Number.isFinite(value)) return show();
      const kept = this.#kept(name, Math.min(Math.max(value, min), max));
      holder()[name] = kept;
      this.#mark();
      this.onChange([changed]);
    };
    this.fields.set(`${changed}.${name}`, show);
    return el("div", { class: "tmv-slider" }, el("label", { title: about }, title), range, number, undo);
  }

  /** The thresholds push each other along rather than cross. */
  #kept(name, value) {
    if (name === "high" && value < this.values.low) this.values.low = value;
    if (name === "low" && value > this.values.high) this.values.high = value;
    return value;
  }

  #select(name, title, options, about) {
    const select = el("select", { class: "tm-select", "aria-label": title, title: about, onchange: () => { this.values[name] = select.value; this.#mark(); this.onChange([name]); } },
      options.map(([value, text]) => el("option", { value }, text)));
    this.fields.set(name, () => { select.value = this.values[name]; });
    return el("div", { class: "tmv-choice" }, el("label", { title: about }, title), select);
  }

  #crf() {
    const preset = el("select", {
      class: "tm-select", "aria-label": "CRF preset", title: "The CRF's numbers as each paper has them",
      onchange: () => {
        if (preset.value !== "own") this.values.crf = preset.value === "off" ? null : structuredClone(this.presets[preset.value]);
        this.#mark();
        this.onChange(["crf"]);
      },
    }, el("option", { value: "off" }, "off"), Object.keys(this.presets).map((name) => el("option", { value: name }, PRESET_TITLES[name] ?? name)), el("option", { value: "own" }, "own numbers"));
    this.fields.set("preset", () => {
      preset.value = this.values.crf === null ? "off" : this.#presetName() ?? "own";
      numbers.hidden = this.values.crf === null;
    });
    const numbers = el("details", { class: "tmv-details" }, el("summary", {}, "CRF numbers"),
      this.#slider(CONFIDENCE, () => this.values, CONFIDENCE.name),
      CRF_SLIDERS.map((slider) => this.#slider(slider, () => this.values.crf, slider.name, "crf")));
    return [el("div", { class: "tmv-choice" }, el("label", { title: "The CRF's numbers as each paper has them" }, "CRF preset"), preset), numbers];
  }

  #presetName() {
    const same = (one, other) => Object.keys(one).every((key) => one[key] === other[key]);
    return Object.keys(this.presets).find((name) => same(this.presets[name], this.values.crf));
  }

  #default(holder, name) {
    return holder() === this.values ? this.defaults[name] : this.defaults.crf[name];
  }

  #resetAll() {
    const changed = Object.keys(this.defaults).filter((name) => JSON.stringify(this.values[name]) !== JSON.stringify(this.defaults[name]));
    this.values = structuredClone(this.defaults);
    this.#mark();
    if (changed.length) this.onChange(changed);
  }

  #mark() {
    for (const show of this.fields.values()) show();
    this.reset.hidden = JSON.stringify(this.values) === JSON.stringify(this.defaults);
  }
}

const PRESET_TITLES = { dcsp: "DCSP", deeplab: "DeepLab-v2", psa: "PSA / SEAM", irn: "IRN", oaa: "OAA" };
