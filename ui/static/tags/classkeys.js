// Which key gives which class: digits for the first ten, letters for the next, changed by a person and kept in this browser.

const DIGITS = [..."1234567890"];
const LETTERS = [..."abcdefghijklmopqrstuvwx"];
/** Keys that mean something else in the Tags tab. */
export const TAKEN = new Set(["y", "n", "z"]);

export class ClassKeys {
  constructor(workspace) {
    this.storage = `tagmask.tags.keys.${workspace}`;
    try {
      this.own = JSON.parse(localStorage.getItem(this.storage)) ?? {};
    } catch {
      this.own = {};
    }
    this.byKey = new Map();
    this.byClass = new Map();
  }

  /** Gives every class a key while there are some: its own, else the next that is free. */
  update(classes) {
    this.byKey.clear();
    this.byClass.clear();
    const give = (key, id) => { this.byKey.set(key, id); this.byClass.set(id, key); };
    for (const { id } of classes) if (this.own[id] && !this.byKey.has(this.own[id])) give(this.own[id], id);
    const free = [...DIGITS, ...LETTERS].filter((key) => !this.byKey.has(key)).values();
    for (const { id } of classes) {
      if (this.byClass.has(id)) continue;
      const { value, done } = free.next();
      if (!done) give(value, id);
    }
  }

  /** Gives a class another key; the class that had it takes the old one. Answers a sentence where it cannot be. */
  remap(id, key) {
    if (TAKEN.has(key)) return `The key ${key.toUpperCase()} has a meaning of its own here; choose another.`;
    if (!DIGITS.includes(key) && !LETTERS.includes(key)) return "Choose a digit or a letter from A to Z.";
    const other = this.byKey.get(key);
    const before = this.byClass.get(id);
    if (other !== undefined && other !== id) {
      if (before) this.own[other] = before;
      else delete this.own[other];
    }
    this.own[id] = key;
    try {
      localStorage.setItem(this.storage, JSON.stringify(this.own));
    } catch { /* A full storage costs only that the key is not remembered. */ }
    return null;
  }

  /** The key that was pressed as it stands on the board: Shift and layout make other signs of digits. */
  static pressed(event) {
    return /^Digit\d$/.test(event.code) ? event.code[5] : event.key.toLowerCase();
  }
}
