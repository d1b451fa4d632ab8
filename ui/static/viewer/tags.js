// The image's tags: chips that can be hidden or taken away, and a searchable list to add from.
import { el } from "../ui.js";

let serial = 0;

// A thousand rows take a blink to build and nobody reads them; typing finds the rest.
const MOST_ROWS = 60;

export class Tags {
  /**
   * `classes` are {id, name, colour, own}, or null where `load()` is asked for them when the list opens.
   * `title`, `about`, `field`, `empty` and `note` are the section's words; `onChange(names)`, `onHide()`.
   */
  constructor({ title, about, field, empty, note = null, classes, load = null, onChange, onHide }) {
    Object.assign(this, { classes: classes ?? [], load, empty, onChange, onHide });
    this.names = [];
    this.asking = null;
    this.hidden = new Set();
    this.knownNames = null;
    this.colours = new Map();
    this.at = -1;
    const list = `tmv-tags-${++serial}`;
    this.chips = el("div", { class: "tmv-chips" });
    this.input = el("input", {
      class: "tm-input", role: "combobox", "aria-expanded": "false", "aria-controls": list, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
      placeholder: load ? "Search 1,000 classes" : "Add a tag", "aria-label": field,
      oninput: () => { this.at = 0; this.moved = false; this.#open(); }, onfocus: () => this.#open(), onclick: () => this.#open(),
      onblur: () => this.#close(), onkeydown: (event) => this.#key(event),
    });
    this.list = el("div", { class: "tmv-options", role: "listbox", id: list, hidden: true, onmousedown: (event) => event.preventDefault() });
    this.root = el("section", { class: "tmv-section tmv-tags", "aria-label": title },
      el("h3", { title: about }, title), this.chips, el("div", { class: "tmv-combo" }, this.input, this.list), note ? el("p", { class: "tmv-detail" }, note) : null);
  }

  /** Shows an image's tags, null where the server is to choose them. `known` are the names that the weights know, null for all. */
  show(names, known) {
    this.asking = names;
    this.names = [...(names ?? [])];
    this.knownNames = known && new Set(known.map((name) => name.toLowerCase()));
    this.#render();
  }

  /** The tags as a request has them: null lets the server choose among the image's own. */
  asked() {
    return this.asking && [...this.names];
  }

  /** Takes over what the server made of the tags: their colours, and the names where it chose them. */
  learn(tags) {
    for (const { name, colour } of tags) this.colours.set(name, colour);
    if (this.asking === null) this.names = tags.map(({ name }) => name);
    if (this.load) this.#render();
  }

  /** The weights do not know this tag: where the server chose among the image's own, it is none of those looked for. Answers whether others are left. */
  forget(name) {
    if (this.asking !== null) return false;
    this.names = this.names.filter((other) => other !== name);
    this.#render();
    return this.names.length > 0;
  }

  colourOf(name) {
    return this.classes.find((each) => each.name === name)?.colour ?? this.colours.get(name) ?? "#8a8a8a";
  }

  #knows(name) {
    return !this.knownNames || this.knownNames.has(name.toLowerCase());
  }

  #render() {
    this.chips.replaceChildren(...this.names.map((name) => this.#chip(name)));
    if (!this.names.length) this.chips.replaceChildren(el("p", { class: "tmv-none" }, this.empty));
  }

  #chip(name) {
    const unknown = !this.#knows(name);
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
    const rank = (name) => (name.toLowerCase().startsWith(wanted) ? 0 : 1) + (this.#knows(name) ? 0 : 2);
    return this.classes
      .filter(({ name }) => !this.names.includes(name) && name.toLowerCase().includes(wanted))
      .sort((one, other) => rank(one.name) - rank(other.name) || one.name.localeCompare(other.name));
  }

  #open() {
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    if (this.load && !this.classes.length) return void this.#fetch();
    const found = this.#matches();
    const rows = found.slice(0, MOST_ROWS);
    this.at = Math.min(Math.max(this.at, 0), rows.length - 1);
    this.list.replaceChildren(...rows.map(({ name, colour }, index) =>
      el("div", { class: "tmv-option", role: "option", id: `${this.list.id}-${index}`, "aria-selected": String(index === this.at), onclick: () => this.#add(name) },
        colour ? el("i", { class: "tmv-dot", style: { background: colour } }) : null, name,
        this.#knows(name) ? null : el("span", { class: "tm-faint" }, "not in these weights"))));
    if (!found.length) this.list.replaceChildren(el("div", { class: "tmv-none" }, this.#nothing()));
    if (found.length > rows.length) this.list.append(el("div", { class: "tmv-none" }, `${found.length - rows.length} more; type to find them.`));
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    if (rows.length) this.input.setAttribute("aria-activedescendant", `${this.list.id}-${this.at}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** Gets the classes when they are first wanted; a failure is said in the list, and tried again when it opens. */
  async #fetch() {
    this.list.replaceChildren(el("div", { class: "tmv-none" }, "Loading the classes …"));
    this.fetching ??= this.load();
    try {
      this.classes = (await this.fetching).map((name) => ({ name }));
      if (!this.list.hidden) this.#open();
    } catch (error) {
      this.list.replaceChildren(el("div", { class: "tmv-none" }, error.message));
    } finally {
      this.fetching = null;
    }
  }

  #nothing() {
    const wanted = this.input.value.trim();
    if (!wanted) return "Every class is a tag already.";
    if (this.names.some((name) => name.toLowerCase() === wanted.toLowerCase())) return `'${wanted}' is a tag of this image already.`;
    const shown = wanted.length > 40 ? `${wanted.slice(0, 40)}…` : wanted;
    return `No class is called '${shown}'.${this.load ? "" : " New classes are made in the Data tab."}`;
  }

  #close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  #key(event) {
    const found = this.#matches().slice(0, MOST_ROWS);
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
    this.names = this.asking = names;
    this.#render();
    this.onChange([...names]);
  }
}
