// The settings: those that the methods on the page read, as sliders with number fields.
import { el, formatNumber } from "../ui.js";
import { choiceRow, sliderRow } from "./fields.js";
import { CONFIDENCE, CRF_SLIDERS, OAA_FUSION, SLIDERS, TRUTH_THRESHOLD } from "./sliders.js";
import { FUSION_TITLES } from "./words.js";

export class SettingsPanel {
  /** `defaults`, `presets`, `saliency` (names) and `crf` {available, reason} come from the server; `onChange(names)` is told which changed. */
  constructor({ defaults, presets, saliency, crf, onChange }) {
    Object.assign(this, { defaults, presets, onChange });
    this.base = structuredClone(defaults);
    this.values = structuredClone(defaults);
    // Rows and sections by the setting they show; each row is hidden where no stage on the page reads it.
    this.rows = [];
    this.sections = {
      zones: this.#section("Zones", "Three zones cut out of the attention (SeeNet)", this.#sliders("zones")),
      ecsnet: this.#section("ECS-Net", "What is erased before the second look, and which of its pixels are trusted", this.#sliders("ecsnet")),
      oaa: this.#section("OAA", "How the passes of training become one map", [this.#choice(OAA_FUSION)]),
      fusion: this.#section("Fusion", "Attention and saliency put together", [
        ...this.#sliders("fusion"),
        this.#choice({ name: "saliency", title: "Saliency", options: saliency.map((name) => [name, name]), about: "Where the saliency map comes from" })]),
      refinement: this.#section("Refinement", "A dense CRF draws the labels to the image's edges", [
        this.#choice({ name: "fusion", title: "CRF refines", options: Object.entries(FUSION_TITLES), about: "Which labels go on to the CRF and are scored" }),
        crf.available ? this.#crf() : el("p", { class: "tmv-none" }, crf.reason)]),
    };
    this.threshold = this.#row(TRUTH_THRESHOLD.name, sliderRow(TRUTH_THRESHOLD, this.#own(TRUTH_THRESHOLD.name)));
    this.reset = el("button", { type: "button", class: "tm-button quiet small", title: "Back to what the weights were trained with, and the papers' values", onclick: () => this.#resetAll() }, "Reset");
    this.root = el("section", { class: "tmv-section tmv-settings", "aria-label": "Settings" },
      el("div", { class: "tmv-section-head" }, el("h3", {}, "Settings"), this.reset), Object.values(this.sections));
    this.#mark();
  }

  /** What a person moved, as the server takes it; what is left out is the weights' own. */
  json() {
    const moved = new Set(this.#moved());
    // One threshold alone might cross the other one of weights that were trained with theirs.
    if (moved.has("high") || moved.has("low")) moved.add("high").add("low");
    return Object.fromEntries([...moved].map((name) => [name, structuredClone(this.values[name])]));
  }

  /** Shows the settings that these sides' stages read, beginning from what the first one's weights were trained with. */
  follow(sides) {
    const moved = this.json();
    this.base = { ...structuredClone(this.defaults), ...sides[0].source.choice?.defaults };
    this.values = { ...structuredClone(this.base), ...moved };
    const read = new Set(sides.flatMap((side) => side.table.flatMap(({ reads }) => reads)));
    for (const { name, root } of this.rows) {
      root.hidden = !read.has(name);
      const theirs = sides[1]?.source.choice?.defaults[name];
      const differs = theirs !== undefined && theirs !== this.base[name] && !(name in moved);
      root.classList.toggle("differs", differs);
      root.title = differs ? `B's weights were trained with ${formatNumber(theirs, 2)} and keep it until this is moved.` : "";
    }
    for (const section of Object.values(this.sections)) section.hidden = [...section.querySelectorAll(".tmv-slider, .tmv-choice")].every((row) => row.hidden);
    this.#mark();
  }

  /** Takes a value that something else than a row chose; nobody is told. */
  put(name, value) {
    this.values[name] = value;
    this.#mark();
  }

  #set(name, value) {
    // The thresholds push each other along rather than cross.
    if (name === "high" && value < this.values.low) this.values.low = value;
    if (name === "low" && value > this.values.high) this.values.high = value;
    this.put(name, value);
    this.onChange([name]);
  }

  #own(name) {
    return { get: () => this.values[name], set: (value) => this.#set(name, value), standard: () => this.base[name] };
  }

  #section(title, about, rows) {
    return el("fieldset", { class: "tmv-fieldset" }, el("legend", { title: about }, title), rows);
  }

  #sliders(section) {
    return SLIDERS.filter((slider) => slider.section === section).map((slider) => this.#row(slider.name, sliderRow(slider, this.#own(slider.name))));
  }

  #choice({ name, ...words }) {
    return this.#row(name, choiceRow(words, this.#own(name)));
  }

  #row(name, row) {
    this.rows.push({ name, ...row });
    return row.root;
  }

  #crf() {
    const names = [["off", "off"], ...Object.keys(this.presets).map((name) => [name, PRESET_TITLES[name] ?? name]), ["own", "own numbers"]];
    const preset = choiceRow({ title: "CRF preset", about: "The CRF's numbers as each paper has them", options: names }, {
      get: () => (this.values.crf === null ? "off" : this.#presetName() ?? "own"),
      set: (name) => (name === "own" ? this.#mark() : this.#set("crf", name === "off" ? null : structuredClone(this.presets[name]))),
    });
    const number = ({ name, ...words }) => this.#row("crf", sliderRow(words, {
      get: () => this.values.crf?.[name],
      set: (value) => this.#set("crf", { ...this.values.crf, [name]: value }),
      standard: () => this.base.crf?.[name],
    }));
    const details = el("details", { class: "tmv-details" }, el("summary", {}, "CRF numbers"), this.#row(CONFIDENCE.name, sliderRow(CONFIDENCE, this.#own(CONFIDENCE.name))), CRF_SLIDERS.map(number));
    this.rows.push({ name: "crf", root: details, show: () => { details.hidden = this.values.crf === null; } });
    return [this.#row("crf", preset), details];
  }

  #presetName() {
    return Object.keys(this.presets).find((name) => same(this.presets[name], this.values.crf));
  }

  #moved() {
    return Object.keys(this.base).filter((name) => !same(this.values[name], this.base[name]));
  }

  #resetAll() {
    const changed = this.#moved();
    this.values = structuredClone(this.base);
    this.#mark();
    if (changed.length) this.onChange(changed);
  }

  #mark() {
    for (const { show } of this.rows) show();
    if (this.reset) this.reset.hidden = !this.#moved().length;
  }
}

function same(one, other) {
  if (!one || !other || typeof one !== "object") return one === other;
  return Object.keys({ ...one, ...other }).every((key) => one[key] === other[key]);
}

const PRESET_TITLES = { dcsp: "DCSP", deeplab: "DeepLab-v2", psa: "PSA / SEAM", irn: "IRN", oaa: "OAA" };
