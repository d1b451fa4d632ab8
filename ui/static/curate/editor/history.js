// Undo and redo of what was painted: each step keeps the tiles it changed as they were before.

const TILE = 64;
// As much as is kept for going back; the oldest steps go first.
const MOST_BYTES = 256 * 2 ** 20;

export class History {
  constructor(width, height, ids) {
    Object.assign(this, { width, height, ids });
    this.across = Math.ceil(width / TILE);
    this.done = [];
    this.undone = [];
    this.open = null;
    this.bytes = 0;
    // Goes up with every change, so that who kept a copy knows whether it is the newest.
    this.version = 0;
  }

  get canUndo() {
    return this.done.length > 0;
  }

  get canRedo() {
    return this.undone.length > 0;
  }

  /** Begins a step; what is painted until `end` is undone as one. */
  begin() {
    this.open = new Map();
  }

  /** Keeps what the box holds now, before it is painted over. */
  touch(left, top, right, bottom) {
    for (let ty = Math.floor(top / TILE); ty * TILE < bottom; ty++) {
      for (let tx = Math.floor(left / TILE); tx * TILE < right; tx++) {
        const index = ty * this.across + tx;
        if (!this.open.has(index)) this.open.set(index, this.#copy(index));
      }
    }
  }

  /** Ends the step; false where nothing came out different. */
  end() {
    const step = this.open;
    this.open = null;
    for (const [index, before] of step) if (same(before, this.#copy(index))) step.delete(index);
    if (!step.size) return false;
    this.undone = [];
    this.#push(step);
    this.version += 1;
    return true;
  }

  /** Gives the step up, all as it was; the box that changed back, or null. */
  drop() {
    const step = this.open;
    this.open = null;
    return step?.size ? this.#swap(step) : null;
  }

  /** Takes the last step back; the box that changed, or null. */
  undo() {
    return this.#move(this.done, this.undone);
  }

  /** Does it again. */
  redo() {
    return this.#move(this.undone, this.done);
  }

  #move(from, to) {
    const step = from.pop();
    if (!step) return null;
    to.push(step);
    this.version += 1;
    return this.#swap(step);
  }

  /** Exchanges what a step holds with what is painted there: undo and redo are the same act. */
  #swap(step) {
    const box = [this.width, this.height, 0, 0];
    for (const [index, kept] of step) {
      const now = this.#copy(index);
      const [left, top, width, height] = this.#place(index);
      for (let y = 0; y < height; y++) this.ids.set(kept.subarray(y * width, (y + 1) * width), (top + y) * this.width + left);
      step.set(index, now);
      box[0] = Math.min(box[0], left);
      box[1] = Math.min(box[1], top);
      box[2] = Math.max(box[2], left + width);
      box[3] = Math.max(box[3], top + height);
    }
    return box;
  }

  #push(step) {
    this.done.push(step);
    this.bytes = [...this.done].reduce((sum, each) => sum + each.size * TILE * TILE, 0);
    while (this.bytes > MOST_BYTES && this.done.length > 1) this.bytes -= this.done.shift().size * TILE * TILE;
  }

  #copy(index) {
    const [left, top, width, height] = this.#place(index);
    const copy = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) copy.set(this.ids.subarray((top + y) * this.width + left, (top + y) * this.width + left + width), y * width);
    return copy;
  }

  #place(index) {
    const left = (index % this.across) * TILE;
    const top = Math.floor(index / this.across) * TILE;
    return [left, top, Math.min(TILE, this.width - left), Math.min(TILE, this.height - top)];
  }
}

function same(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
