// The masks on either side of tau, side by side: those below it, the line, those from it up.
import { el, getJSON } from "../ui.js";
import { asked } from "./address.js";
import { fetchLabels, paintLabels } from "../masks.js";

const WIDTH = 80;
const MOST = 12;
const SETTLED = 250;

export class Strip {
  /** `onOpen(row)` hears which mask is to be looked at. */
  constructor({ filters, onOpen }) {
    Object.assign(this, { filters, onOpen });
    this.asked = 0;
    this.below = el("div", { class: "cu-strip-side below", role: "group" });
    this.above = el("div", { class: "cu-strip-side above", role: "group" });
    this.line = el("div", { class: "cu-strip-line" });
    this.element = el("section", { class: "cu-strip", "aria-label": "Masks on either side of tau", hidden: true }, this.below, this.line, this.above);
  }

  get open() {
    return !this.element.hidden;
  }

  toggle() {
    this.element.hidden = this.open;
    return this.open;
  }

  /** Reads anew a little later: decisions come in quick succession. */
  soon(colours) {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.refresh(colours), SETTLED);
  }

  /** Reads the masks that are nearest to tau now; `colours` are the palette of the classes. */
  async refresh(colours) {
    clearTimeout(this.waiting);
    if (!this.open) return;
    const turn = ++this.asked;
    const { by, tau } = this.filters;
    const limit = Math.max(1, Math.min(MOST, Math.floor((this.element.clientWidth / 2 - 28) / WIDTH)));
    try {
      const found = await getJSON("curate/sides", { ...asked(this.filters), by, tau, limit });
      if (turn !== this.asked) return;
      this.line.textContent = tau.toFixed(2);
      this.line.title = `tau, of ${by}`;
      const held = this.element.querySelector(".cu-thumb:focus")?.dataset.id;
      // The nearest stands beside the line on both sides.
      this.#fill(this.below, found.below.toReversed(), `${by} below tau`, colours);
      this.#fill(this.above, found.above, `${by} from tau up`, colours);
      this.mark(this.marked);
      // The thumbs are made anew: who stands on one by keyboard stays there.
      if (held) this.element.querySelector(`.cu-thumb[data-id="${held}"]`)?.focus();
    } catch (error) {
      if (turn === this.asked) this.above.replaceChildren(el("p", { class: "tm-faint" }, error.message));
    }
  }

  /** Marks the mask that is looked at, where it is among them. */
  mark(id) {
    this.marked = id;
    for (const thumb of this.element.querySelectorAll(".cu-thumb")) thumb.setAttribute("aria-current", String(thumb.dataset.id === String(id)));
  }

  #fill(side, rows, label, colours) {
    side.setAttribute("aria-label", label);
    side.replaceChildren(...(rows.length ? rows.map((row) => this.#thumb(row, colours)) : [el("p", { class: "tm-faint" }, `None with ${label}`)]));
  }

  #thumb(row, colours) {
    const score = row.scores[this.filters.by].toFixed(2);
    const canvas = el("canvas", { width: 96, height: 72 });
    paintThumb(canvas, row, colours).catch(() => { canvas.title = "This picture could not be loaded"; });
    return el("button", { type: "button", class: "cu-thumb", dataset: { id: row.id }, title: `${row.image_name}: ${row.why}`, "aria-label": `${row.image_name}, ${row.why}`, onclick: () => this.onOpen(row) },
      canvas, el("span", {}, score));
  }
}

/** The photograph with its mask, cropped to fill a small canvas. */
export async function paintThumb(canvas, row, colours) {
  const image = new Image();
  image.src = `/tagmask/thumbs/${row.image_digest}?side=192`;
  const [labels] = await Promise.all([fetchLabels(row.digest), image.decode()]);
  const context = canvas.getContext("2d");
  const scale = Math.max(canvas.width / image.naturalWidth, canvas.height / image.naturalHeight);
  const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
  const place = [(canvas.width - width) / 2, (canvas.height - height) / 2, width, height];
  context.drawImage(image, ...place);
  context.globalAlpha = 0.6;
  context.drawImage(paintLabels(labels, colours), ...place);
}
