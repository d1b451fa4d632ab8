// "Grow to edge": what the server's CRF makes of the class in view, shown first, kept or dropped by the reviewer.
import { el, formatNumber, stream, toast } from "../../ui.js";
import { packed } from "./packing.js";

export const REACHES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

export class Snap {
  /** `onKeep(piece)` lays what is kept into the mask; `onState()` hears when a preview comes or goes. */
  constructor({ row, mask, surface, className, onKeep, onState }) {
    Object.assign(this, { row, mask, surface, className, onKeep, onState });
    this.reach = nearest(Math.max(row.width, row.height) / 60);
    this.asking = null;
    this.found = null;
    this.words = el("span", { class: "ed-snap-words", role: "status" });
    this.shown = el("output", { class: "ed-snap-reach" });
    this.keepButton = el("button", { type: "button", class: "tm-button small primary", onclick: () => this.keep() }, "Keep", el("kbd", {}, "Enter"));
    const step = (by, label, key) => el("button", { type: "button", class: "tm-button small icon", "aria-label": label, title: `${label} (key ${key})`, onclick: () => this.reachBy(by) }, by < 0 ? "−" : "+");
    this.element = el("div", { class: "ed-bar ed-snap", hidden: true }, this.words,
      el("span", { class: "ed-reach" }, "Reach", step(-1, "Shorter reach", "["), this.shown, step(1, "Longer reach", "]")),
      el("button", { type: "button", class: "tm-button small", onclick: () => this.drop() }, "Drop", el("kbd", {}, "Esc")), this.keepButton);
  }

  /** Whether a preview is asked for or shown. */
  get pending() {
    return Boolean(this.asking || this.found);
  }

  /** Asks what the class would grow into, in the part of the image that is in view. */
  async start(classId) {
    const [left, top, right, bottom] = this.surface.camera.visible();
    if (left >= right || top >= bottom) return;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    this.classId = classId;
    this.#say(`Looking for the edges of ${this.className(classId)}…`, false);
    const [width, height] = [right - left, bottom - top];
    const piece = this.mask.piece(left, top, width, height);
    try {
      const response = await stream("fix/snap", {
        candidate: this.row.id, class_id: classId, reach: this.reach, left, top, width, height, labels: await packed(piece.ids),
      }, { signal: asking.signal });
      const ids = new Uint8Array(await response.arrayBuffer());
      if (this.asking !== asking) return;
      this.asking = null;
      this.#preview(piece, ids);
    } catch (error) {
      if (this.asking !== asking) return;
      this.asking = null;
      this.drop();
      if (error.name !== "AbortError") toast(error.message, "bad");
    }
  }

  /** A longer or shorter reach; a preview that is shown is made anew. */
  reachBy(by) {
    const at = REACHES.indexOf(this.reach) + by;
    if (at < 0 || at >= REACHES.length) return;
    this.reach = REACHES[at];
    if (this.pending) this.start(this.classId);
  }

  keep() {
    if (!this.found) return;
    const { found } = this;
    this.#clear();
    this.onKeep(found);
  }

  drop() {
    this.asking?.abort();
    this.asking = null;
    this.#clear();
  }

  #preview({ left, top, width, height, ids: before }, ids) {
    let [gained, lost] = [0, 0];
    for (let i = 0; i < ids.length; i++) if (ids[i] !== before[i]) ids[i] === this.classId ? gained++ : lost++;
    if (!gained && !lost) {
      this.#clear();
      toast(`Nothing would change: within ${this.reach} pixels of its border ${this.className(this.classId)} ends where the photograph has an edge.`);
      return;
    }
    this.found = { left, top, width, height, ids };
    this.surface.preview = {
      at: (x, y, id) => (x < left || y < top || x >= left + width || y >= top + height ? id : ids[(y - top) * width + x - left]),
    };
    this.#say(`${this.className(this.classId)} +${formatNumber(gained)} −${formatNumber(lost)} pixels`, true);
  }

  #say(words, ready) {
    this.words.textContent = words;
    this.shown.textContent = `${this.reach} px`;
    this.keepButton.disabled = !ready;
    this.element.hidden = false;
    this.surface.redraw();
    this.onState();
  }

  #clear() {
    this.found = this.surface.preview = null;
    this.element.hidden = true;
    this.surface.redraw();
    this.onState();
  }
}

function nearest(wanted) {
  return REACHES.reduce((best, each) => (Math.abs(each - wanted) < Math.abs(best - wanted) ? each : best));
}
