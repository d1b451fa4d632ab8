// Which key does what, as chosen in this browser; no key ever does two things.
import { ACTIONS, keyOf, printed } from "./actions.js";

const KEPT = "tagmask.keys";
// They move the focus, press what has it or close a dialog, on every page.
const TAKEN = new Set(["Tab", "Enter", "Escape", "Shift", "Control", "Alt", "Meta", "CapsLock", "Dead", "Unidentified", "Process"]);

export class Bindings {
  constructor() {
    this.listeners = new Set();
    this.#read();
    // Chosen in another window of this browser, it holds here as well.
    window.addEventListener("storage", (event) => {
      if (event.key !== KEPT) return;
      this.#read();
      this.#tell();
    });
  }

  /** The action of a key event, or null. */
  actionOf(event) {
    return this.byKey.get(keyOf(event)) ?? null;
  }

  /** The keys of an action, the first of them the one that its button shows. */
  keysOf(id) {
    return this.chosen[id] ?? ACTIONS.find((action) => action.id === id).keys;
  }

  /** How an action's first key is printed. */
  shown(id) {
    return printed(this.keysOf(id)[0]);
  }

  /** Gives an action another key; a sentence where it cannot have it, else null. */
  bind(id, key) {
    if (TAKEN.has(key)) return `${printed(key)} belongs to the page itself. Press another key.`;
    const owner = this.byKey.get(key);
    if (owner && owner !== id) {
      return `${printed(key)} is “${ACTIONS.find((action) => action.id === owner).label}” already. Press another key, or give that one another first.`;
    }
    this.#keep({ ...this.chosen, [id]: [key] });
    return null;
  }

  /** Every action as it came. */
  reset() {
    this.#keep({});
  }

  get changed() {
    return Object.keys(this.chosen).length > 0;
  }

  onChange(hear) {
    this.listeners.add(hear);
  }

  #keep(chosen) {
    this.chosen = chosen;
    localStorage.setItem(KEPT, JSON.stringify(chosen));
    this.#index();
    this.#tell();
  }

  #read() {
    this.chosen = usable(localStorage.getItem(KEPT));
    this.#index();
  }

  #index() {
    this.byKey = new Map(ACTIONS.flatMap(({ id }) => this.keysOf(id).map((key) => [key, id])));
  }

  #tell() {
    for (const hear of this.listeners) hear();
  }
}

/** What this browser kept, or nothing where it is torn or two actions would share a key. */
function usable(text) {
  let kept;
  try {
    kept = JSON.parse(text ?? "{}");
  } catch {
    return {};
  }
  const known = new Set(ACTIONS.map(({ id }) => id));
  const chosen = Object.fromEntries(Object.entries(kept ?? {}).filter(([id, keys]) => known.has(id) && Array.isArray(keys) && keys.length && keys.every((key) => typeof key === "string" && !TAKEN.has(key))));
  const all = ACTIONS.flatMap(({ id, keys }) => chosen[id] ?? keys);
  return new Set(all).size === all.length ? chosen : {};
}
