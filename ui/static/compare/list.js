// The images of a comparison in order, a long list of which only what is seen is made.
import { el, formatNumber } from "../ui.js";
import { shown, shownChange } from "./measures.js";

const ROW = 60;
const SPARE = 4;

export class ImageList {
  /** `onPick(row)` hears which image was chosen. */
  constructor(onPick) {
    this.onPick = onPick;
    this.items = [];
    this.picked = null;
    this.inner = el("div", { class: "cp-rows", role: "presentation" });
    this.root = el("div", { class: "cp-list", role: "listbox", tabindex: 0, "aria-label": "Images, by how much they changed" }, this.inner);
    this.root.addEventListener("scroll", () => this.#later());
    this.root.addEventListener("click", (event) => {
      const item = event.target.closest("[data-at]");
      if (item) this.onPick(this.items[Number(item.dataset.at)].row);
    });
    new ResizeObserver(() => this.#draw()).observe(this.root);
  }

  /** Shows these images [{row, values, change}] by this measure. */
  show(items, measure) {
    Object.assign(this, { items, measure });
    this.inner.style.height = `${items.length * ROW}px`;
    this.largest = Math.max(0.0001, ...items.map(({ change }) => Math.abs(change)));
    this.#draw();
  }

  /** Marks the image that is looked at and brings it into view. */
  mark(row) {
    this.picked = row?.id ?? null;
    const at = this.at;
    const { scrollTop, clientHeight } = this.root;
    if (at >= 0 && clientHeight) {
      if (at * ROW < scrollTop) this.root.scrollTop = at * ROW;
      else if ((at + 1) * ROW > scrollTop + clientHeight) this.root.scrollTop = (at + 1) * ROW - clientHeight;
    }
    this.#draw();
  }

  /** The place of the image that is looked at, -1 where it is not in the list. */
  get at() {
    return this.items.findIndex(({ row }) => row.id === this.picked);
  }

  /** The next image in the list, or the one before; undefined at its ends. */
  beside(by) {
    return this.items[this.at < 0 ? 0 : this.at + by]?.row;
  }

  #later() {
    this.due ??= requestAnimationFrame(() => { this.due = null; this.#draw(); });
  }

  #draw() {
    const first = Math.max(0, Math.floor(this.root.scrollTop / ROW) - SPARE);
    const last = Math.min(this.items.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / ROW) + SPARE);
    this.inner.replaceChildren(...this.items.slice(first, last).map((item, by) => this.#row(item, first + by)));
    const picked = this.inner.querySelector('[aria-selected="true"]');
    if (picked) this.root.setAttribute("aria-activedescendant", picked.id);
    else this.root.removeAttribute("aria-activedescendant");
  }

  #row({ row, values, change }, at) {
    const told = values ? `${shown(values[0], this.measure)} → ${shown(values[1], this.measure)}` : `${formatNumber(100 * row.agreement, 1)}% alike`;
    return el("div", { class: "cp-row", id: `cp-row-${at}`, role: "option", "aria-selected": String(row.id === this.picked), "aria-setsize": this.items.length, "aria-posinset": at + 1, dataset: { at }, style: { top: `${at * ROW}px` }, title: row.name },
      el("img", { src: `/tagmask/thumbs/${row.digest}?side=96`, alt: "", loading: "lazy", width: 64, height: 48 }),
      el("span", { class: "cp-row-text" }, el("span", { class: "cp-row-name" }, row.name), el("span", { class: "tm-faint" }, told)),
      values ? el("span", { class: "cp-row-change" }, el("b", {}, shownChange(change, this.measure)), bar(change / this.largest)) : null);
  }
}

/** A bar from the middle: to the right in B's colour where B is better, to the left in A's. */
export function bar(share) {
  const side = share > 0 ? "b" : "a";
  const wide = Math.min(Math.abs(share), 1) * 50;
  return el("span", { class: "cp-bar", "aria-hidden": "true" }, el("i", { class: side, style: { width: `${wide}%`, left: share > 0 ? "50%" : `${50 - wide}%` } }));
}
