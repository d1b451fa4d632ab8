// The settings: those that the methods on the page read, as sliders with number fields.
import { el, formatNumber } from "../ui.js";
import { choiceRow, sliderRow } from "./fields.js";
import { CONFIDENCE, CRF_SLIDERS, ERASED, LOOKS, OAA_FUSION, SLIDERS, TRUTH_THRESHOLD, WALK_SLIDERS } from "./sliders.js";
import { FUSION_TITLES, REFINEMENTS } from "./words.js";

export class SettingsPanel {
  /** `defaults`, `presets`, `saliency` (names), `crf` {available, reason} and `affinities` [{id, title}] come from the server; `onChange(names)` is told which changed. */
  constructor({ defaults, presets, saliency, crf, affinities, onChange }) {
    Object.assign(this, { defaults, presets, onChange });
    this.base = structuredClone(defaults);
    this.values = structuredClone(defaults);
    // Rows and sections by the setting they show; each row is hidden where no stage on the page reads it.
    this.rows = [];
    this.sections = {
      zones: this.#section("Zones", "Three zones cut out of the attention (SeeNet)", this.#sliders("zones")),
      ecsnet: this.#section("ECS-Net", "What is erased before the second look, and which of its pixels are trusted", this.#sliders("ecsnet")),
      oaa: this.#section("OAA", "How the passes of training become one map", [this.#choice(OAA_FUSION)]),
      saliency: this.#section("Saliency", "What stands out, whatever its class", [
        this.#choice({ name: "saliency", title: "Saliency", options: saliency.map((name) => [name, name]), about: "Where the saliency map comes from" }),
        this.#looks()]),
      fusion: this.#section("Fusion", "Attention and saliency put together", [
        ...this.#sliders("fusion"),
        this.#choice({ name: "fusion", title: "Mask of", options: Object.entries(FUSION_TITLES), about: "Which labels go on to the refinement and are scored" })]),
      refinement: this.#section("Refinement", "Draws the mask to the borders of what is in the image", [
        this.#choice({ name: "refine", title: "Refine by", options: Object.entries(REFINEMENTS), about: "A dense CRF and GrabCut begin from the chosen labels; the random walk moves the attention itself, by the affinities that a network learnt" }),
        this.#walk(affinities),
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
    this.sides = sides;
    this.#arrange();
    for (const { name, root } of this.rows) {
      const theirs = sides[1]?.source.choice?.defaults[name];
      const differs = theirs !== undefined && theirs !== this.base[name] && !(name in moved);
      root.classList.toggle("differs", differs);
      root.title = differs ? `B's weights were trained with ${formatNumber(theirs, 2)} and keep it until this is moved.` : "";
    }
    this.#mark();
  }

  /** The affinity weights there are by now. */
  listAffinities(affinities) {
    this.affinities?.replaceChildren(...affinityOptions(affinities));
    this.#mark();
  }

  /** Shows the rows that a stage of these sides reads, and the sections that have any. */
  #arrange() {
    if (!this.sides) return;
    const read = new Set(this.sides.flatMap((side) => side.table.flatMap(({ reads }) => reads)));
    for (const { name, root, wanted } of this.rows) root.hidden = !read.has(name) || wanted?.() === false;
    for (const section of Object.values(this.sections)) section.hidden = [...section.querySelectorAll(".tmv-slider, .tmv-choice")].every((row) => row.hidden);
  }

  /** Takes the settings that an address names, the weights' own for all others; nobody is told. Answers which of them changed. */
  take(named) {
    const before = this.values;
    this.values = { ...structuredClone(this.base), oaa_pass: before.oaa_pass, ...structuredClone(named) };
    // A link written by hand may cross them, which the server refuses.
    if (this.values.low > this.values.high) this.values.low = this.values.high;
    this.#arrange();
    this.#mark();
    return Object.keys(this.base).filter((name) => JSON.stringify(this.values[name]) !== JSON.stringify(before[name]));
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
    // Every further look wants a threshold; as long as nobody says otherwise, that of the look before it.
    const { erase_above: above } = this.values;
    if (name === "erasing_steps") this.values.erase_above = [...above, ...Array(Math.max(0, value - 1 - above.length)).fill(above.at(-1))];
    this.values[name] = value;
    this.#arrange();
    this.#mark();
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

  #looks() {
    const erased = [0, 1, 2, 3].map((at) => {
      const row = sliderRow(ERASED(at + 2), {
        get: () => this.values.erase_above[at],
        set: (value) => this.#set("erase_above", this.values.erase_above.with(at, value)),
        standard: () => this.base.erase_above[at] ?? this.base.erase_above.at(-1),
      });
      return this.#row("erase_above", { ...row, wanted: () => this.values.erasing_steps > at + 1 });
    });
    return [this.#row(LOOKS.name, sliderRow(LOOKS, this.#own(LOOKS.name))), ...erased];
  }

  #walk(affinities) {
    const weights = choiceRow({ title: "Affinities", about: "The network that says which neighbours belong together: a run of the recipe affinity", options: [] }, this.#own("affinity"));
    this.affinities = weights.root.querySelector("select");
    this.affinities.replaceChildren(...affinityOptions(affinities));
    return [this.#row("affinity", weights), ...WALK_SLIDERS.map((slider) => this.#row(slider.name, sliderRow(slider, this.#own(slider.name))))];
  }

  #crf() {
    const names = [["off", "off"], ...this.#presetNames().map((name) => [name, PRESET_TITLES[name] ?? name]), ["own", "own numbers"]];
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

  /** The presets' names, one for those that have the same numbers. */
  #presetNames() {
    const names = Object.keys(this.presets);
    return names.filter((name, at) => names.findIndex((other) => same(this.presets[other], this.presets[name])) === at);
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
    this.#arrange();
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

/** Whether a stage of the server's table is one of those that these settings choose. */
export function isThere({ when }, values) {
  if (!when) return true;
  const [name, wanted] = when;
  return typeof wanted === "number" ? values[name] >= wanted : values[name] === wanted;
}

function affinityOptions(affinities) {
  return affinities.length ? [["", "the newest"], ...affinities.map(({ id, title }) => [id, title])].map(([value, text]) => el("option", { value }, text)) : [el("option", { value: "" }, "none yet: train some")];
}

const PRESET_TITLES = { dcsp: "DCSP", deeplab: "DeepLab-v2", psa: "PSA, SEAM, DSRG, SAL", irn: "IRN", oaa: "OAA" };
