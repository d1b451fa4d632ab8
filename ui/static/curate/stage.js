// Where a candidate is looked at: its photograph with the mask, how that is drawn, and what is said while it does not come.
import { el } from "../ui.js";
import { MaskCanvas } from "./canvas.js";
import { Layers } from "./layers.js";
import { Pictures } from "./pictures.js";

const AGAIN_MS = 2500;

export class Stage {
  /** `onReady(row, picture)`: the mask is on the screen. `label(id)` prints an action's key, `onKeys()` opens their map. */
  constructor({ onReady, onFlag, onKeys, label }) {
    Object.assign(this, { onReady, label });
    this.pictures = new Pictures();
    this.row = null;
    this.ready = null;
    this.canvas = el("canvas", { class: "cu-canvas", role: "img", "aria-label": "The photograph with its candidate mask", title: "Wheel zooms, drag moves, double-click fits" });
    this.view = new MaskCanvas(this.canvas);
    this.layers = new Layers((layer) => this.view.set({ layer }), label);
    this.message = el("div", { class: "tm-empty cu-message", hidden: true });
    const switched = (name, label, about) => el("button", { type: "button", class: "tm-button small quiet", "aria-pressed": "false", dataset: { act: name, title: about }, onclick: () => this.toggle(name) }, label, el("kbd", {}));
    this.switches = { hide: switched("hide", "Hide mask", "Hide or show the mask"), outline: switched("outline", "Outline", "Draw only the mask's outline") };
    this.opacity = el("input", { type: "range", min: 0.1, max: 1, step: 0.05, value: this.view.view.opacity, "aria-label": "Mask opacity", oninput: () => this.view.set({ opacity: Number(this.opacity.value) }),
      // Dragged, it would keep the focus and the keys with it.
      onpointerup: () => this.opacity.blur() });
    this.flag = el("button", { type: "button", class: "tm-button small quiet", "aria-pressed": "false", dataset: { act: "flag", title: "Flag the image, to come back to it" }, onclick: onFlag }, "Flag", el("kbd", {}));
    this.tools = el("div", { class: "cu-tools" }, Object.values(this.switches), this.layers.buttons, el("label", { class: "cu-opacity" }, el("span", {}, "Opacity"), this.opacity),
      el("span", { class: "cu-gap" }), this.flag,
      el("button", { type: "button", class: "tm-button small quiet", dataset: { act: "keys", title: "The map of keys; change them there" }, onclick: onKeys }, "Keys", el("kbd", {})));
    this.well = el("div", { class: "cu-well" });
    this.restore();
  }

  /** The well as it was before the editor had it. */
  restore() {
    this.well.replaceChildren(this.canvas, this.layers.legend, this.message);
    this.row = this.ready = null;
  }

  /** Shows a candidate, at once where its picture was fetched ahead. */
  show(row, colours) {
    this.flag.disabled = false;
    this.flag.setAttribute("aria-pressed", String(row.flagged));
    const entry = this.pictures.get(row);
    if (this.row?.id === row.id) {
      this.row = row;
      return entry.ready;
    }
    this.row = row;
    this.ready = null;
    this.message.hidden = true;
    if (entry.ready) {
      this.#put(row, entry.ready, colours);
    } else {
      this.view.show(null);
      this.layers.show(null);
      entry.promise.then((picture) => { if (this.row?.id === row.id) this.#put(this.row, picture, colours); }, (error) => this.#missing(row, error, colours));
    }
    return entry.ready;
  }

  /** Shows a message where the picture would be. */
  say(...children) {
    this.row = this.ready = null;
    this.flag.disabled = true;
    this.view.show(null);
    this.layers.show(null);
    this.message.replaceChildren(...children);
    this.message.hidden = false;
  }

  /** Fetches what comes next. */
  ahead(rows) {
    for (const row of rows) this.pictures.get(row);
  }

  /** Says anew which keys there are. */
  printKeys() {
    this.layers.printKeys();
    this.opacity.title = `Mask opacity (keys ${this.label("more")} and ${this.label("less")})`;
  }

  toggle(name) {
    const field = name === "hide" ? "hidden" : "outline";
    this.view.set({ [field]: !this.view.view[field] });
    this.switches[name].setAttribute("aria-pressed", String(this.view.view[field]));
  }

  fade(by) {
    const opacity = Math.min(1, Math.max(0.1, this.view.view.opacity + by));
    this.opacity.value = opacity;
    this.view.set({ opacity });
  }

  #put(row, picture, colours) {
    this.ready = row.id;
    this.message.hidden = true;
    this.view.show(picture, colours);
    this.layers.show(picture);
    this.onReady(row, picture);
  }

  /** The picture did not come: says so where it would be, and asks again while it is waited for. */
  #missing(row, error, colours) {
    if (this.row?.id !== row.id) return;
    this.message.replaceChildren(
      el("h2", {}, "This picture could not be loaded"),
      el("p", {}, `${error.message} It is asked for again every few seconds; until it is here it can be skipped, but not judged.`));
    this.message.hidden = false;
    setTimeout(() => {
      if (this.row?.id !== row.id || this.ready === row.id) return;
      this.pictures.get(row).promise.then((picture) => { if (this.row?.id === row.id) this.#put(this.row, picture, colours); }, (again) => this.#missing(row, again, colours));
    }, AGAIN_MS);
  }
}
