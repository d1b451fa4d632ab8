// Which images are selected: by click, Ctrl-click, Shift-click, arrows, or drawn around.

export class Selection {
  /** `deck` knows the order; `onChange()` hears of every change. */
  constructor(deck, onChange) {
    this.deck = deck;
    this.onChange = onChange;
    this.ids = new Set();
    this.cursor = 0;
    this.anchor = 0;
  }

  get size() {
    return this.ids.size;
  }

  has(id) {
    return this.ids.has(id);
  }

  /** The selected images in the order of the list, else the one at the cursor. */
  chosen() {
    if (!this.size) return this.deck.length ? [this.deck.ids[this.cursor]] : [];
    return this.deck.ids.filter((id) => this.ids.has(id));
  }

  only(place) {
    this.ids = new Set([this.deck.ids[place]]);
    this.#moved(place, place);
  }

  toggle(place) {
    const id = this.deck.ids[place];
    if (!this.ids.delete(id)) this.ids.add(id);
    this.#moved(place, place);
  }

  /** Everything from the anchor to a place; `adding` keeps what was selected before. */
  range(place, adding = false) {
    const [from, to] = [Math.min(this.anchor, place), Math.max(this.anchor, place)];
    this.ids = new Set([...(adding ? this.ids : []), ...this.deck.ids.slice(from, to + 1)]);
    this.#moved(place, this.anchor);
  }

  /** Moves the cursor; with `extend` the range from the anchor is selected, else nothing changes but the cursor. */
  move(place, extend) {
    const to = Math.max(0, Math.min(this.deck.length - 1, place));
    if (extend) return this.range(to);
    this.#moved(to, to);
  }

  set(ids, place) {
    this.ids = ids;
    this.#moved(place, place);
  }

  all() {
    this.ids = new Set(this.deck.ids);
    this.onChange();
  }

  clear() {
    this.ids = new Set();
    this.onChange();
  }

  /** The list is another one: what is no longer in it is not selected, and the cursor stays on its image where it can. */
  relist(id) {
    const there = new Set(this.deck.ids);
    this.ids = new Set([...this.ids].filter((each) => there.has(each)));
    const place = id === undefined ? -1 : this.deck.placeOf(id);
    this.cursor = this.anchor = Math.max(0, place);
    this.onChange();
  }

  #moved(cursor, anchor) {
    this.cursor = cursor;
    this.anchor = anchor;
    this.onChange();
  }
}
