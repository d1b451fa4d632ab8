// The queue as a list: what comes, what was, why each is here.
import { el } from "../ui.js";

const BEFORE = 20;
const AFTER = 60;
export const VERDICT = { accept: "accepted", reject: "rejected", fix: "fixed", skip: "skipped", undecided: "undecided" };

export class List {
  /** `onGo(index)` hears which row is wanted. */
  constructor(onGo) {
    this.element = el("ol", { class: "cu-list", "aria-label": "Queue of candidate masks", tabindex: "-1" });
    this.element.addEventListener("click", (event) => {
      const item = event.target.closest("[data-index]");
      if (item) onGo(Number(item.dataset.index));
    });
  }

  render({ rows, at }) {
    const from = Math.max(0, at - BEFORE);
    this.element.replaceChildren(...rows.slice(from, at + AFTER).map((row, i) => item(row, from + i, from + i === at)));
    this.element.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }
}

function item(row, index, current) {
  return el("li", {},
    el("button", { type: "button", class: "cu-item", "aria-current": String(current), dataset: { index, id: row.id }, title: `${row.image_name}: ${row.why}` },
      el("img", { src: `/tagmask/thumbs/${row.image_digest}?side=96`, alt: "", loading: "lazy", width: 40, height: 40 }),
      el("span", { class: "cu-item-text" }, el("span", { class: "cu-name" }, row.image_name), el("span", { class: "tm-faint" }, row.why)),
      row.flagged ? flagMark() : null,
      dot(row)));
}

function dot({ verdict, fixed_id: fixed, id }) {
  const drawn = verdict === "undecided" && fixed !== null && fixed !== id;
  if (verdict === "undecided" && !drawn) return null;
  const said = drawn ? "a fixed mask of this image stands" : VERDICT[verdict];
  return el("span", { class: `cu-dot ${drawn ? "fix drawn" : verdict}`, role: "img", title: said, "aria-label": said });
}

/** A small pennant that says an image is flagged. */
export function flagMark() {
  return el("svg:svg", { class: "cu-flag", viewBox: "0 0 12 12", role: "img", "aria-label": "flagged" }, el("svg:path", { d: "M3 1.2v9.6M3 1.8h6.2L7.6 4.1l1.6 2.3H3" }));
}
