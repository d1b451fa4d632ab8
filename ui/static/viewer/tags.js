// The image's tags: chips that can be hidden or taken away, and a searchable list to add from.
import { el } from "../ui.js";

let serial = 0;

export class Tags {
  /** `classes` are {id, name, colour, own}; `onChange(names)`, `onHide()`. */
  constructor({ classes, onChange, onHide, readOnly }) {
    this.classes = classes;
    this.onChange = onChange;
    this.onHide = onHide;
    this.names = [];
    this.hidden = new Set();
    this.known = null;
    this.at = -1;
    const list = `tmv-tags-${++serial}`;
    this.chips = el("div", { class: "tmv-chips" });
    this.input = el("input", {
      class: "tm-input", role: "combobox", "aria-expanded": "false", "aria-controls": list, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
      placeholder: "Add a tag", "aria-label": "Add a tag",
      oninput: () => { this.at = 0; this.moved = false; this.#open(); }, onfocus: () => this.#open(), onclick: () => this.#open(),
      onblur: () => this.#close(), onkeydown: (event) => this.#key(event),
    });
    this.list = el("div", { class: "tmv-options", role: "listbox", id: list, hidden: true, onmousedown: (event) => event.preventDefault() });
    this.root = el("section", { class: "tmv-section tmv-tags", "aria-label": "Tags" },
      el("h3", { title: "A tag names a class that is in the image, without saying where" }, readOnly ? "Tags to look for" : "Tags"), this.chips, el("div", { class: "tmv-combo" }, this.input, this.list));
  }

  /** Shows an image's tags. `known` are the names that the weights know. */
  show(names, known) {
    this.names = [...names];
    this.known = new Set(known.map((name) => name.toLowerCase()));
    this.#render();
  }

  colourOf(name) {
    return this.classes.find((each) => each.name === name)?.colour ?? "#8a8a8a";
  }

  #render() {
    this.chips.replaceChildren(...this.names.map((name) => this.#chip(name)));
    if (!this.names.length) this.chips.replaceChildren(el("p", { class: "tmv-none" }, "No tags yet. Name what is in the image; each tag gets a map."));
  }

  #chip(name) {
    const unknown = !this.known.has(name.toLowerCase());
    const hidden = this.hidden.has(name);
    return el("span", { class: `tmv-chip${hidden ? " hidden-tag" : ""}${unknown ? " unknown" : ""}` },
      el("button", {
        type: "button", class: "tmv-chip-name", "aria-pressed": String(!hidden),
        title: unknown ? `The weights do not know '${name}', so it gets no map` : hidden ? `Show ${name} in the maps` : `Hide ${name} in the maps`,
        onclick: () => { if (hidden) this.hidden.delete(name); else this.hidden.add(name); this.#render(); this.onHide(); },
      }, el("i", { class: "tmv-dot", style: { background: this.colourOf(name) } }), name),
      el("button", { type: "button", class: "tmv-chip-x", title: `Remove ${name}`, "aria-label": `Remove the tag ${name}`, onclick: () => this.#set(this.names.filter((other) => other !== name)) }, "×"));
  }

  #matches() {
    const wanted = this.input.value.trim().toLowerCase();
    const rank = (name) => (name.toLowerCase().startsWith(wanted) ? 0 : 1) + (this.known?.has(name.toLowerCase()) ? 0 : 2);
    return this.classes
      .filter(({ name }) => !this.names.includes(name) && name.toLowerCase().includes(wanted))
      .sort((one, other) => rank(one.name) - rank(other.name) || one.name.localeCompare(other.name));
  }

  #open() {
    const found = this.#matches();
    this.at = Math.min(Math.max(this.at, 0), found.length - 1);
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.list.replaceChildren(...found.map(({ name, colour }, index) =>
      el("div", { class: "tmv-option", role: "option", id: `${this.list.id}-${index}`, "aria-selected": String(index === this.at), onclick: () => this.#add(name) },
        el("i", { class: "tmv-dot", style: { background: colour } }), name,
        this.known?.has(name.toLowerCase()) ? null : el("span", { class: "tm-faint" }, "not in these weights"))));
    if (!found.length) {
      this.list.replaceChildren(el("div", { class: "tmv-none" }, this.#nothing()));
    }
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    if (found.length) this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  #nothing() {
    const wanted = this.input.value.trim();
    if (!wanted) return "Every class is a tag already.";
    if (this.names.some((name) => name.toLowerCase() === wanted.toLowerCase())) return `'${wanted}' is a tag of this image already.`;
    const shown = wanted.length > 40 ? `${wanted.slice(0, 40)}…` : wanted;
    return `No class is called '${shown}'. New classes are made in the Data tab.`;
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  #key(event) {
    const found = this.#matches();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      this.at = (this.at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % Math.max(found.length, 1);
      this.moved = true;
      this.#open();
    } else if (event.key === "Enter") {
      event.preventDefault();
      // With nothing typed, only a name that the arrows went to is meant.
      if (!this.list.hidden && found[this.at] && (this.input.value.trim() || this.moved)) this.#add(found[this.at].name);
    } else if (event.key === "Backspace" && !this.input.value && this.names.length) {
      this.#set(this.names.slice(0, -1));
    } else if (event.key === "Escape") {
      event.stopPropagation();
      this.input.value = "";
      this.#close();
    }
  }

  #add(name) {
    this.input.value = "";
    this.at = 0;
    this.moved = false;
    this.#set([...this.names, name]);
    this.#open();
  }

  #set(names) {
    this.names = names;
    this.#render();
    this.onChange([...names]);
  }
}
