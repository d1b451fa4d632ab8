// The figure dialog: images and columns are chosen, the panel is seen as it will be printed, and saved as PNG, PDF or SVG.
import { el, getJSON } from "../ui.js";
import { stageText } from "../viewer/words.js";
import { choices, numbers, orderedList, switches } from "./figure_fields.js";

const STYLE = "/tagmask/static/compare.css";
const REST = 350;
const PREVIEW_DPI = 110;
const WIDTHS = [["84", "One column (84 mm)"], ["129", "One and a half (129 mm)"], ["174", "Page (174 mm)"]];
const USUAL = { width: "174", size: "7", dpi: "300", opacity: "0.6", colours: "viridis", names: "none", flat: false, outline: true, titles: true, numbers: false, legend: true, turned: false };

/**
 * Opens the dialog. `images` are names and `columns` what stands in them to begin with, `sides` the runs and methods that have masks;
 * `weights` and `settings` are those of the stages, as the Inspect tab has them.
 */
export async function openFigure({ images, columns, sides = null, weights = null, settings = {} }) {
  if (!document.querySelector(`link[href="${STYLE}"]`)) document.head.append(el("link", { rel: "stylesheet", href: STYLE }));
  const dialog = new FigureDialog({ images, columns, weights, settings });
  dialog.open();
  try {
    const [options, { sides: known }] = await Promise.all([getJSON("inspect/options"), sides ? { sides } : getJSON("compare/sides")]);
    dialog.offer(options, known);
  } catch (error) {
    dialog.say(error.message);
  }
}

class FigureDialog {
  constructor({ images, columns, weights, settings }) {
    Object.assign(this, { weights, settings, values: { ...USUAL } });
    this.titles = new Map();
    const changed = () => this.#later();
    this.images = orderedList({ label: "Image", items: images, onChange: changed, title: (name) => name });
    this.columns = orderedList({ label: "Column", items: columns, onChange: changed, title: (what) => this.#titleOf(what), named: this.titles });
    this.known = el("datalist", { id: `cp-fig-images` });
    this.add = el("input", { class: "tm-input", list: this.known.id, placeholder: "Add an image by name", "aria-label": "Add an image by name", autocomplete: "off", spellcheck: "false",
      oninput: () => this.#search(), onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); this.#addImage(); } }, onchange: () => this.#addImage() });
    this.more = el("select", { class: "tm-select", "aria-label": "Add a column", onchange: () => { this.columns.add(this.more.value); this.more.value = ""; } });
    this.source = el("select", { class: "tm-select", "aria-label": "Weights of the stages", onchange: () => { this.weights = this.source.value; this.settings = {}; this.#offerColumns(); changed(); } });
    this.sourceField = el("fieldset", { hidden: true }, el("legend", { title: "The network that makes the stages" }, "Weights"), this.source);
    this.picture = el("img", { alt: "The figure as it will be printed", hidden: true });
    this.said = el("p", { class: "cp-fig-said" }, "Drawing…");
    this.paper = el("div", { class: "cp-fig-paper" }, this.picture, this.said);
    this.remarks = el("p", { role: "status" });
    this.command = el("code", { title: "The same on the command line" });
    this.links = ["PNG", "PDF", "SVG"].map((form) => el("a", { class: "tm-button small", download: `figure.${form.toLowerCase()}`, dataset: { form: form.toLowerCase() } }, form));
    this.root = el("dialog", { class: "tm cp-figure", "aria-label": "Figure" },
      el("form", { class: "cp-fig-form", method: "dialog", onsubmit: (event) => event.preventDefault() },
        el("fieldset", {}, el("legend", {}, "Images"), this.images.root, this.add, this.known),
        el("fieldset", {}, el("legend", {}, "Columns"), this.columns.root, this.more), this.sourceField,
        el("fieldset", {}, el("legend", {}, "Look"), el("div", { class: "cp-fig-pairs" },
          choices(this.values, "width", "Width", WIDTHS, changed), choices(this.values, "names", "Rows are called", [["none", "nothing"], ["letters", "(a), (b) …"], ["names", "by name"]], changed),
          choices(this.values, "colours", "Colours of heat", ["viridis", "magma", "turbo", "grey"].map((name) => [name, name]), changed), numbers(this.values, "opacity", "Opacity", { min: 0, max: 1, step: 0.05 }, changed),
          numbers(this.values, "size", "Letters, points", { min: 5, max: 14, step: 0.5 }, changed), numbers(this.values, "dpi", "Pixels per inch", { min: 72, max: 600, step: 1 }, changed))),
        el("div", { class: "cp-fig-checks" }, switches(this.values, { titles: "Titles", legend: "Legend", numbers: "Mean IoU", outline: "Outlines", flat: "Masks alone", turned: "Images side by side" }, changed))),
      el("div", { class: "cp-fig-show" },
        el("div", { class: "cp-fig-head" }, el("h2", {}, "Figure"), el("span", { class: "cp-gap" }), this.links, el("button", { type: "button", class: "tm-button quiet small icon", "aria-label": "Close", title: "Close (Escape)", onclick: () => this.root.close() }, "✕")),
        this.paper, el("div", { class: "cp-fig-foot" }, this.remarks, this.command)));
    this.root.addEventListener("close", () => { this.drawing?.abort(); if (this.picture.src) URL.revokeObjectURL(this.picture.src); this.root.remove(); });
  }

  open() {
    document.body.append(this.root);
    this.root.showModal();
    this.#draw();
  }

  /** What there is to choose: the server's weights with their stages, and the sides that have masks. */
  offer(options, sides) {
    Object.assign(this, { options, sides });
    this.source.replaceChildren(...options.weights.filter(({ absent }) => !absent).map(({ id, title }) => el("option", { value: id }, title)));
    this.weights ??= this.source.value || null;
    this.source.value = this.weights ?? "";
    this.#offerColumns();
    this.columns.draw();
    this.#later();
  }

  /** Says a sentence in the picture's place. */
  say(sentence) {
    this.said.textContent = sentence;
    this.said.hidden = false;
    this.picture.hidden = true;
  }

  #offerColumns() {
    const choice = this.options.weights.find(({ id }) => id === this.weights);
    const name = this.settings.method || choice?.methods[0];
    const stages = this.options.methods.find((each) => each.name === name)?.stages ?? [];
    const group = (label, pairs) => (pairs.length ? el("optgroup", { label }, pairs.map(([value, text]) => el("option", { value }, text))) : null);
    const drawn = stages.filter(({ name: stage, kind }) => !["image", "truth"].includes(stage) && kind !== "reliable");
    this.more.replaceChildren(...[el("option", { value: "" }, "Add a column …"),
      group("Image", [["image", "Photograph"], ["truth", "True mask"]]),
      group("Masks", this.sides.map(({ id, title }) => [id, title])),
      group("Stages", choice ? [["attention", "Final attention"], ["mask", "Mask of these weights"], ...drawn.map(({ name: stage }) => [stage, stageText(stage).title])] : [])].filter(Boolean));
  }

  #titleOf(what) {
    const known = { image: "Photograph", truth: "True mask", attention: "Final attention", mask: "Mask of these weights" };
    return known[what] ?? this.sides?.find(({ id }) => id === what)?.title ?? stageText(what).title;
  }

  async #search() {
    const query = this.add.value.trim();
    const { rows } = await getJSON("inspect/images", { query, limit: 30 }).catch(() => ({ rows: [] }));
    if (this.add.value.trim() === query) this.known.replaceChildren(...rows.map(({ name }) => el("option", { value: name })));
  }

  #addImage() {
    const name = this.add.value.trim();
    if (!name) return;
    this.add.value = "";
    this.images.add(name);
  }

  /** Does any column need a network? */
  get #staged() {
    return this.columns.items.some((what) => !["image", "truth", "accepted"].includes(what) && !/^(run|method):/.test(what));
  }

  #later() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#draw(), REST);
  }

  #query(more = {}) {
    const query = new URLSearchParams();
    for (const name of this.images.items) query.append("image", name);
    for (const what of this.columns.items) query.append("column", this.titles.has(what) ? `${what}=${this.titles.get(what)}` : what);
    for (const [name, value] of Object.entries({ ...this.values, ...more })) if (String(value) !== String(USUAL[name])) query.set(name, value);
    if (this.#staged) {
      if (this.weights) query.set("weights", this.weights);
      if (Object.keys(this.settings).length) query.set("settings", JSON.stringify(this.settings));
    }
    return query;
  }

  async #draw() {
    this.drawing?.abort();
    const { signal } = (this.drawing = new AbortController());
    this.sourceField.hidden = !this.#staged;
    for (const link of this.links) link.href = `/tagmask/api/figure.${link.dataset.form}?${this.#query({ save: true })}`;
    this.command.textContent = this.#commandLine();
    this.paper.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(`/tagmask/api/figure.png?${this.#query({ dpi: PREVIEW_DPI * Math.min(devicePixelRatio, 2) | 0 })}`, { signal, headers: { "X-Tagmask": "1" } }).catch((error) => {
        throw error.name === "AbortError" ? error : new Error("The server does not answer. Check that app.py is still running, then try again.");
      });
      if (!response.ok) throw new Error((await response.json().catch(() => null))?.error ?? `The server answered ${response.status} without a reason.`);
      const remarks = JSON.parse(response.headers.get("X-Remarks") ?? "[]");
      const url = URL.createObjectURL(await response.blob());
      if (signal.aborted) return URL.revokeObjectURL(url);
      if (this.picture.src) URL.revokeObjectURL(this.picture.src);
      this.picture.src = url;
      this.picture.hidden = false;
      this.said.hidden = true;
      this.remarks.textContent = remarks.join(" ");
      this.root.dataset.drawn = String(Number(this.root.dataset.drawn ?? 0) + 1);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return undefined;
      this.remarks.textContent = "";
      this.say(error.message);
    }
    this.paper.removeAttribute("aria-busy");
    return undefined;
  }

  #commandLine() {
    const quoted = (text) => (/^[\w.:=/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
    const words = ["python -m backend figure WORKSPACE figure.pdf --images", ...this.images.items.map(quoted), "--columns", ...this.columns.items.map((what) => quoted(this.titles.has(what) ? `${what}=${this.titles.get(what)}` : what))];
    if (this.#staged && this.weights) words.push("--weights", quoted(this.weights));
    if (this.#staged && Object.keys(this.settings).length) words.push("--set", ...Object.entries(this.settings).map(([name, value]) => quoted(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)));
    for (const name of ["width", "size", "dpi", "opacity", "colours", "names"]) if (String(this.values[name]) !== USUAL[name]) words.push(`--${name}`, this.values[name]);
    for (const name of ["flat", "numbers", "turned"]) if (this.values[name]) words.push(`--${name}`);
    for (const name of ["outline", "titles", "legend"]) if (!this.values[name]) words.push(`--no-${name}`);
    return words.join(" ");
  }
}
