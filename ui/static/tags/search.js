// Finding a class by typing: it is given to what is selected, and where there is none of this name it can be added.
import { el } from "../ui.js";

const MOST = 40;
let serial = 0;

export class TagSearch {
  /** `give(class)` and `add(name)` hear of the choice; `keyOf(id)` answers a class's key. */
  constructor({ give, add, keyOf }) {
    Object.assign(this, { give, add, keyOf, classes: [], at: 0, found: [] });
    const id = `ta-found-${++serial}`;
    this.input = el("input", {
      class: "tm-input", role: "combobox", "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list", "aria-label": "Find a tag to give, or add a class", autocomplete: "off", spellcheck: "false",
      placeholder: "Give a tag…", title: "Type a part of a class's name, then Enter (key /)",
      oninput: () => { this.at = 0; this.#open(); }, onfocus: () => this.#open(), onblur: () => this.#close(), onkeydown: (event) => this.#key(event),
    });
    this.list = el("div", { class: "ta-found", role: "listbox", id, hidden: true, onmousedown: (event) => event.preventDefault() });
    this.node = el("div", { class: "ta-search" }, this.input, this.list);
  }

  update(classes, readOnly) {
    this.classes = classes;
    this.input.disabled = readOnly;
  }

  #open() {
    const typed = this.input.value.trim();
    const low = typed.toLowerCase();
    const starts = (one) => (one.name.toLowerCase().startsWith(low) ? 0 : 1);
    this.found = this.classes.filter((one) => one.name.toLowerCase().includes(low)).sort((a, b) => starts(a) - starts(b)).slice(0, MOST)
      .map((one) => ({ label: one.name, colour: one.colour, key: this.keyOf(one.id), act: () => this.give(one) }));
    if (typed && !this.classes.some((one) => one.name.toLowerCase() === low)) {
      this.found.push({ label: `Add the class “${typed}” and give it`, act: () => this.add(typed) });
    }
    this.at = Math.min(this.at, this.found.length - 1);
    this.list.replaceChildren(...this.found.map((one, place) =>
      el("div", { class: "ta-option", role: "option", id: `${this.list.id}-${place}`, "aria-selected": String(place === this.at), onclick: () => this.#choose(place) },
        one.colour ? el("i", { style: { background: one.colour } }) : el("i", { class: "plus", "aria-hidden": "true" }, "+"),
        el("span", {}, one.label), one.key ? el("kbd", {}, one.key.toUpperCase()) : null)));
    const open = this.found.length > 0;
    this.list.hidden = !open;
    this.input.setAttribute("aria-expanded", String(open));
    if (open) {
      this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
      this.list.children[this.at].scrollIntoView({ block: "nearest" });
    } else this.input.removeAttribute("aria-activedescendant");
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  #choose(place) {
    const chosen = this.found[place];
    if (!chosen) return;
    this.input.value = "";
    this.#close();
    chosen.act();
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.at = (this.at + step + this.found.length) % this.found.length;
      this.#open();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#choose(this.at);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.input.value = "";
      this.input.blur();
    }
  }
}
