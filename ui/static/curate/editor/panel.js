// The classes to paint with, by number and by name, and what the brush does.
import { el, formatNumber } from "../../ui.js";
import { BACKGROUND, IGNORE } from "./mask.js";

const NUMBERED = 9;
// With more classes than there are numbers, a name is quicker found by typing.
const SEARCHABLE = 12;

export class Panel {
  /** `onClass(id)`, `onSize(size)`, `onKeepOthers(on)` hear what is chosen here. */
  constructor({ classes, tags, mask, onClass, onSize, onKeepOthers }) {
    const held = mask.counts();
    const rank = (each) => (tags.includes(each.id) ? 0 : held[each.id] ? 1 : 2);
    // The image's own tags have the first numbers.
    this.classes = [...classes].sort((a, b) => rank(a) - rank(b) || a.id - b.id);
    this.tags = tags;
    this.items = new Map();
    const item = (id, name, colour, key) => {
      const share = el("span", { class: "ed-share" });
      const node = el("button", {
        type: "button", class: "ed-class", role: "radio", "aria-checked": "false", dataset: { id }, title: key ? `${name} (key ${key})` : name,
        onclick: () => onClass(id),
      }, el("kbd", { class: key ? "" : "none" }, key ?? ""), el("i", { class: id === IGNORE ? "ignore" : "", style: { background: id === IGNORE ? "" : colour } }), el("span", { class: "ed-class-name" }, name), share);
      this.items.set(id, { node, share, name, found: name.toLowerCase() });
      return node;
    };
    const named = this.classes.map((each, i) => item(each.id, each.name, each.colour, i < NUMBERED ? String(i + 1) : null));
    // Background and ignore belong to every image: they stay in sight however many classes there are.
    this.list = el("div", { class: "ed-classes", role: "radiogroup", "aria-label": "Class to paint" },
      el("div", { class: "ed-scroll" }, named), el("hr"), item(BACKGROUND, "Background", "transparent", "0"), item(IGNORE, "Ignore (255)", "", "I"));
    this.search = el("input", { class: "tm-input", type: "search", placeholder: "Find a class", "aria-label": "Find a class by its name", oninput: () => this.#filter(), onkeydown: (event) => this.#pick(event, onClass) });
    this.size = el("input", { type: "range", min: 1, max: 200, step: 1, "aria-label": "Brush size in pixels of the image", title: "Brush size (keys [ and ])", oninput: () => onSize(Number(this.size.value)) });
    this.sizeShown = el("output", {});
    this.others = el("input", { type: "checkbox", onchange: () => onKeepOthers(this.others.checked) });
    this.element = el("aside", { class: "ed-panel", "aria-label": "Classes and brush" },
      el("h3", {}, "Class"), this.classes.length > SEARCHABLE ? this.search : null, this.list,
      el("h3", {}, "Brush"), el("label", { class: "ed-size" }, this.size, this.sizeShown),
      el("label", { class: "ed-check", title: "Paint only background and ignored pixels (key K)" }, this.others, el("span", {}, "Keep other classes"), el("kbd", {}, "K")));
  }

  /** The class that key 1 to 9 stands for, or null. */
  numbered(number) {
    return this.classes[number - 1]?.id ?? null;
  }

  /** What to begin with: the first of the image's tags, else the first class, else ignore. */
  get first() {
    return this.classes[0]?.id ?? IGNORE;
  }

  nameOf(id) {
    return this.items.get(id)?.name ?? `class ${id}`;
  }

  choose(id) {
    for (const [each, { node }] of this.items) {
      node.setAttribute("aria-checked", String(each === id));
      node.tabIndex = each === id ? 0 : -1;
      if (each === id) node.scrollIntoView({ block: "nearest" });
    }
  }

  showSize(size) {
    this.size.value = Math.min(200, size);
    this.sizeShown.textContent = `${size} px`;
  }

  showKeepOthers(on) {
    this.others.checked = on;
  }

  /** Shares of the image by class. */
  showShares(counts, pixels) {
    for (const [id, { share }] of this.items) share.textContent = counts[id] ? `${formatNumber((100 * counts[id]) / pixels, 1)}%` : "";
  }

  /** The arrow keys go through the classes, as in any group of radio buttons. */
  move(event) {
    const ids = [...this.items.keys()].filter((id) => !this.items.get(id).node.hidden);
    const at = ids.indexOf(Number(event.target.dataset.id));
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (at < 0 || !by) return null;
    const id = ids[(at + by + ids.length) % ids.length];
    this.items.get(id).node.focus();
    return id;
  }

  #filter() {
    const wanted = this.search.value.trim().toLowerCase();
    for (const [id, { node, found }] of this.items) node.hidden = Boolean(wanted) && id !== BACKGROUND && id !== IGNORE && !found.includes(wanted);
  }

  #pick(event, onClass) {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    const first = [...this.items].find(([id, { node }]) => !node.hidden && id !== BACKGROUND && id !== IGNORE);
    if (event.key === "Enter" && first) onClass(first[0]);
    this.search.value = "";
    this.#filter();
    this.search.blur();
    event.preventDefault();
  }
}
