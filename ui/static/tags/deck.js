// The images of a list: all their ids at once, and what is shown of them as it comes into view.
import { getJSON } from "../ui.js";

const PAGE = 60;
const AT_A_TIME = 2;

export class Deck {
  /** `onRows()` hears that images have come; `onTrouble(error)` that they did not. */
  constructor({ onRows, onTrouble }) {
    this.onRows = onRows;
    this.onTrouble = onTrouble;
    this.ids = [];
    this.rows = new Map();
    this.places = null;
    this.serial = 0;
    this.asked = new Set();
    this.waiting = [];
    this.busy = 0;
  }

  get length() {
    return this.ids.length;
  }

  /** Takes the ids of a list; answers false where another list was asked for meanwhile. */
  async load(view) {
    const mine = ++this.serial;
    const { ids } = await getJSON("tags/ids", view);
    if (mine !== this.serial) return false;
    this.ids = ids;
    this.places = null;
    // Tags may have changed elsewhere; what is in view is asked for again, what was known stays to be seen.
    this.asked.clear();
    this.waiting = [];
    return true;
  }

  /** The image at a place of the list, null while it is not here yet. */
  at(place) {
    return this.rows.get(this.ids[place]) ?? null;
  }

  placeOf(id) {
    this.places ??= new Map(this.ids.map((each, place) => [each, place]));
    return this.places.get(id) ?? -1;
  }

  /** Asks for the images from one place to before another, those in view before any that wait. */
  want(from, to) {
    const pages = [];
    for (let page = Math.floor(Math.max(0, from) / PAGE); page * PAGE < Math.min(to, this.length); page++) {
      if (!this.asked.has(page)) pages.push(page);
    }
    // A page that was scrolled past and not begun is dropped: it is asked for when it comes into view again.
    this.waiting = pages;
    this.#next();
  }

  #next() {
    while (this.busy < AT_A_TIME && this.waiting.length) {
      const page = this.waiting.shift();
      this.asked.add(page);
      this.#fetch(this.ids.slice(page * PAGE, (page + 1) * PAGE), page);
    }
  }

  async #fetch(ids, page = null) {
    const mine = this.serial;
    this.busy++;
    try {
      const { rows } = await getJSON("tags/rows", { ids: ids.join(",") });
      for (const row of rows) this.rows.set(row.id, row);
      this.onRows();
    } catch (error) {
      if (page !== null && mine === this.serial) this.asked.delete(page);
      this.onTrouble(error);
    } finally {
      this.busy--;
      this.#next();
    }
  }

  /** Reads those of the images anew that have been shown. */
  refresh(ids) {
    const shown = ids.filter((id) => this.rows.has(id));
    for (let from = 0; from < shown.length; from += PAGE) this.#fetch(shown.slice(from, from + PAGE));
  }

  /** Shows an edit at once, as the server will do it. */
  apply({ images, add = [], remove = [] }) {
    for (const id of images) {
      const row = this.rows.get(id);
      if (!row) continue;
      row.tags = [...new Set([...row.tags, ...add])].filter((tag) => !remove.includes(tag)).sort((a, b) => a - b);
      for (const score of row.scores) if (add.includes(score[0]) || remove.includes(score[0])) score[2] = true;
    }
  }
}

/** What the classifier asks about an image: {suggested, doubted}, each [[class, score], ...], the surest first. */
export function questionsOf(row, { least, most }) {
  const open = row.scores.filter(([, , judged]) => !judged);
  return {
    suggested: open.filter(([tag, score]) => !row.tags.includes(tag) && score >= least),
    doubted: open.filter(([tag, score]) => row.tags.includes(tag) && score <= most).reverse(),
  };
}

/** The first of these, [class, score]: of the class that is listed, where one is; null where nothing is asked. */
export function questionOf(row, view) {
  const { suggested, doubted } = questionsOf(row, view);
  const asked = view.show === "doubted" ? [...doubted, ...suggested] : [...suggested, ...doubted];
  return (view.tag === null ? asked : asked.filter(([tag]) => tag === view.tag))[0] ?? null;
}
