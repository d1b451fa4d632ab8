// Thousands of images as a grid of which only what is in view exists; tiles are used again as it scrolls.
import { el } from "../ui.js";
import { fill, newTile } from "./tile.js";

const GAP = 8;
const EDGE = 16;
const BEYOND = 2;
const FOOT = 54;
// Faster than this many rows a frame, pictures wait until the scrolling slows down.
const FAST = 3;
const SETTLED_MS = 90;
const SIDES = [96, 192, 384];

export class Grid {
  /** `deck` and `selection` as in the tab; `about()` answers {classes, view}. */
  constructor({ deck, selection, about }) {
    Object.assign(this, { deck, selection, about });
    this.wide = 176;
    this.tiles = new Map();
    this.spare = [];
    this.top = 0;
    this.frame = 0;
    this.floor = el("div", { class: "ta-floor" });
    this.node = el("div", { class: "ta-grid", role: "listbox", "aria-multiselectable": "true", "aria-label": "Images", tabindex: "0" }, this.floor);
    this.node.addEventListener("scroll", () => this.soon(false), { passive: true });
    new ResizeObserver(() => this.layout()).observe(this.node);
  }

  /** How wide a tile is at least, in pixels. */
  size(wide) {
    this.wide = wide;
    this.layout();
  }

  /** Lays the grid out anew for its width; what was at the top stays there. */
  layout() {
    const inside = this.node.clientWidth - 2 * EDGE;
    if (inside <= 0) return;
    const first = this.columns ? Math.floor(this.node.scrollTop / this.row) * this.columns : 0;
    this.columns = Math.max(1, Math.floor((inside + GAP) / (this.wide + GAP)));
    this.width = (inside - GAP * (this.columns - 1)) / this.columns;
    this.height = Math.round(this.width * 0.75) + FOOT;
    this.row = this.height + GAP;
    this.floor.style.height = `${Math.ceil(this.deck.length / this.columns) * this.row - GAP + 2 * EDGE}px`;
    this.node.style.setProperty("--ta-wide", `${this.width}px`);
    this.node.style.setProperty("--ta-high", `${this.height}px`);
    this.node.scrollTop = Math.floor(first / this.columns) * this.row;
    this.side = SIDES.find((side) => side >= this.width * Math.min(2, devicePixelRatio) * 0.9) ?? SIDES.at(-1);
    this.render();
  }

  /** Paints in the next frame, once; where it only scrolled, what is there already is left alone. */
  soon(all = true) {
    this.all ||= all;
    this.frame ||= requestAnimationFrame(() => { this.frame = 0; this.render(this.all); });
  }

  render(all = true) {
    this.all = false;
    if (!this.columns) return;
    const { scrollTop: top, clientHeight: high } = this.node;
    const fast = Math.abs(top - this.top) > FAST * this.row;
    this.top = top;
    const [begin, end] = [Math.floor((top - EDGE) / this.row), Math.ceil((top + high - EDGE) / this.row)];
    const from = Math.max(0, begin - BEYOND) * this.columns;
    const to = Math.min(this.deck.length, (end + BEYOND) * this.columns);
    const about = { ...this.about(), total: this.deck.length };
    const kept = new Set(this.deck.ids.slice(from, to));
    for (const [id, tile] of this.tiles) {
      if (kept.has(id)) continue;
      this.tiles.delete(id);
      this.spare.push(tile);
    }
    for (let place = from; place < to; place++) {
      const id = this.deck.ids[place];
      const known = this.tiles.get(id);
      if (known && !all) {
        if (!fast) this.#picture(known);
        continue;
      }
      const tile = known ?? this.#place(id);
      const where = `translate(${EDGE + (place % this.columns) * (this.width + GAP)}px, ${EDGE + Math.floor(place / this.columns) * this.row}px)`;
      if (tile.where !== where) tile.style.transform = tile.where = where;
      const row = this.deck.at(place);
      fill(tile, id, place, row, about);
      tile.wanted = row ? `/tagmask/thumbs/${row.digest}?side=${this.side}` : "";
      if (!fast) this.#picture(tile);
      this.#mark(id, tile);
    }
    for (const tile of this.spare) tile.remove();
    clearTimeout(this.settling);
    if (fast) this.settling = setTimeout(() => { for (const tile of this.tiles.values()) this.#picture(tile); }, SETTLED_MS);
    this.deck.want(from, to);
    const cursor = this.deck.ids[this.selection.cursor];
    if (this.tiles.has(cursor)) this.node.setAttribute("aria-activedescendant", `ta-${cursor}`);
    else this.node.removeAttribute("aria-activedescendant");
  }

  #place(id) {
    const tile = this.spare.pop() ?? newTile();
    // A picture of another image must not be seen under this one's name, nor go on loading.
    tile.picture.removeAttribute("src");
    tile.classList.remove("here", "gone");
    tile.shown = tile.marked = null;
    tile.asked = "";
    this.tiles.set(id, tile);
    // One that went out of view in this frame stays where it is in the document: only its place and what it shows change.
    if (!tile.parentNode) this.floor.append(tile);
    return tile;
  }

  #picture(tile) {
    if (!tile.wanted || tile.asked === tile.wanted) return;
    tile.asked = tile.wanted;
    tile.classList.remove("here", "gone");
    tile.picture.src = tile.wanted;
  }

  /** Shows whether an image is selected and whether the cursor is on it. */
  #mark(id, tile) {
    const [selected, cursor] = [this.selection.has(id), id === this.deck.ids[this.selection.cursor]];
    if (tile.marked === `${selected} ${cursor}`) return;
    tile.marked = `${selected} ${cursor}`;
    tile.setAttribute("aria-selected", String(selected));
    tile.classList.toggle("cursor", cursor);
  }

  /** Scrolls as far as it takes to see the image at a place. */
  reveal(place) {
    if (!this.columns) return;
    const top = EDGE + Math.floor(place / this.columns) * this.row;
    const { scrollTop, clientHeight } = this.node;
    if (top < scrollTop + GAP) this.node.scrollTop = top - GAP;
    else if (top + this.height > scrollTop + clientHeight - GAP) this.node.scrollTop = top + this.height - clientHeight + GAP;
    this.render();
  }

  /** How many rows are wholly in view. */
  get pageRows() {
    return Math.max(1, Math.floor(this.node.clientHeight / this.row));
  }

  /** The place of the image under a point of the grid's content, -1 between them. */
  placeAt(x, y) {
    const [column, row] = [Math.floor((x - EDGE) / (this.width + GAP)), Math.floor((y - EDGE) / this.row)];
    const inside = x - EDGE - column * (this.width + GAP) < this.width && y - EDGE - row * this.row < this.height;
    const place = row * this.columns + column;
    return column >= 0 && column < this.columns && row >= 0 && inside && place < this.deck.length ? place : -1;
  }

  /** The places of the images that a box of the grid's content touches. */
  placesIn({ left, top, right, bottom }) {
    const column = (x) => (x - EDGE) / (this.width + GAP);
    const row = (y) => (y - EDGE) / this.row;
    const firstColumn = Math.max(0, Math.floor(column(left) + GAP / (this.width + GAP)));
    const lastColumn = Math.min(this.columns - 1, Math.floor(column(right)));
    const firstRow = Math.max(0, Math.floor(row(top) + GAP / this.row));
    const places = [];
    for (let r = firstRow; r <= row(bottom); r++) {
      for (let c = firstColumn; c <= lastColumn; c++) {
        const place = r * this.columns + c;
        if (place < this.deck.length) places.push(place);
      }
    }
    return places;
  }
}
