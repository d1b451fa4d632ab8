// The masks that different methods made of the same image, to choose among by number.
import { el, formatNumber, getJSON } from "../ui.js";
import { asked } from "./address.js";
import { VERDICT } from "./list.js";

const NUMBERED = 9;
const RESTED = 60;

export class Choices {
  /** `onChoose(row)` hears which mask is to be looked at; `onTrouble(error)` why there is none. `label(id)` prints an action's key. */
  constructor({ filters, onChoose, onTrouble, label }) {
    Object.assign(this, { filters, onChoose, onTrouble, label });
    this.known = new Map();
    this.row = null;
    this.element = el("div", { class: "cu-choices", role: "group", "aria-label": "Masks of this image", hidden: true });
  }

  /** Shows the choices of the row that is looked at. Read a little later: whoever hurries on does not wait for them. */
  show(row) {
    this.row = row;
    clearTimeout(this.waiting);
    if (!row || row.choices < 2) {
      this.element.replaceChildren(el("span", { class: "tm-faint" }, row ? "The only mask of this image" : ""));
      return;
    }
    this.element.hidden = false;
    const rows = this.known.get(row.image_id);
    if (rows) return this.#draw(rows);
    this.element.replaceChildren(el("span", { class: "tm-faint" }, `${row.choices} masks of this image`));
    this.waiting = setTimeout(() => this.#read(row).then((found) => { if (this.row?.image_id === row.image_id) this.#draw(found); }, (error) => this.onTrouble(error)), RESTED);
    return null;
  }

  /** Goes to the mask of this number, from 1 on, of the image that is looked at. */
  async choose(number) {
    const row = this.row;
    if (!row) return;
    try {
      const rows = row.choices < 2 ? [row] : await this.#read(row);
      if (this.row?.image_id === row.image_id && rows[number - 1]) this.onChoose(rows[number - 1]);
    } catch (error) {
      this.onTrouble(error);
    }
  }

  /** Forgets what was read of an image, or of all: a decision, a fix or another filter changed it. */
  forget(image = null) {
    if (image === null) this.known.clear();
    else this.known.delete(image);
  }

  /** Takes a verdict that was given here into what was read. */
  decided(row) {
    const known = this.known.get(row.image_id)?.find((each) => each.id === row.id);
    if (known) Object.assign(known, { verdict: row.verdict, reviewer: row.reviewer });
  }

  async #read(row) {
    const known = this.known.get(row.image_id);
    if (known) return known;
    const { rows } = await getJSON(`curate/choices/${row.image_id}`, { assigned: asked(this.filters).assigned });
    for (const each of rows) each.why = each.id === row.id ? row.why : `another mask of ${row.image_name}`;
    this.known.set(row.image_id, rows);
    if (this.known.size > 200) this.known.delete(this.known.keys().next().value);
    return rows;
  }

  #draw(rows) {
    this.element.replaceChildren(...rows.map((row, i) => el("button", {
      type: "button", class: "cu-choice", "aria-pressed": String(row.id === this.row.id), dataset: { id: row.id },
      title: `${row.method}, ${VERDICT[row.verdict]}${i < NUMBERED ? ` (key ${this.label(`choose${i + 1}`)})` : ""}`, onclick: () => this.onChoose(row),
    }, i < NUMBERED ? el("kbd", {}, this.label(`choose${i + 1}`)) : null, el("span", { class: "cu-choice-name" }, row.method),
    row.score === null ? null : el("span", { class: "tm-faint" }, formatNumber(row.score, 2)),
    row.verdict === "undecided" ? null : el("span", { class: `cu-dot ${row.verdict}`, role: "img", "aria-label": VERDICT[row.verdict] }))));
  }
}
