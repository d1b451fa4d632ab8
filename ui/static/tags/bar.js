// What is selected and what can be done with it, below the images.
import { el, formatNumber } from "../ui.js";
import { questionOf } from "./deck.js";
import { percent } from "./tile.js";

const MOST_CHIPS = 5;

export class Bar {
  /** `acts`: {give(tag), take(tag), answer(yes), undo(), open(), clear(), refresh()}; `search` the tag search. */
  constructor({ acts, search }) {
    this.acts = acts;
    const button = (label, key, title, act, kind = "") =>
      el("button", { type: "button", class: `tm-button ${kind}`, title: `${title} (key ${key})`, onclick: act }, label, el("kbd", { "aria-hidden": "true" }, key));
    this.count = el("span", { class: "ta-count", role: "status" });
    this.tags = el("div", { class: "ta-bar-tags" });
    this.question = el("span", { class: "ta-question", title: "What the classifier asks first about each of these images" });
    this.yes = button("Yes", "Y", "What the classifier asks about is so: the tag is given, or stays", () => acts.answer(true), "ta-yes");
    this.no = button("No", "N", "It is not so: the tag is taken away, or not suggested again", () => acts.answer(false), "ta-no");
    this.undo = button("Undo", "Z", "Take back your last change of tags, any number of times", () => acts.undo());
    this.open = button("Look closely", "↵", "One image at a time", () => acts.open());
    this.clear = button("Clear", "Esc", "Select nothing", () => acts.clear(), "quiet");
    this.node = el("div", { class: "ta-bar" }, this.count, this.tags, search.node, this.question, this.no, this.yes, this.undo, this.open, this.clear);
  }

  /** Shows what is selected; `rows` are those of the selected images that are here. */
  show({ size, chosen, rows, classes, view, readOnly, single }) {
    const counted = new Map();
    for (const row of rows) for (const tag of row.tags) counted.set(tag, (counted.get(tag) ?? 0) + 1);
    const asked = rows.map((row) => questionOf(row, view)).filter(Boolean);
    this.count.textContent = size ? `${formatNumber(size)} selected` : chosen.length ? (rows[0]?.name ?? "1 image") : "Nothing selected";
    const tags = [...counted].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    this.tags.replaceChildren(...tags.slice(0, MOST_CHIPS).map(([tag, number]) => {
      const known = classes.get(tag);
      const name = known?.name ?? `class ${tag}`;
      const share = chosen.length > 1 ? `${formatNumber(number)}${rows.length < chosen.length ? "+" : ""}` : null;
      return el("span", { class: "ta-chip", title: `${formatNumber(number)} of ${formatNumber(chosen.length)} have the tag ${name}` },
        el("i", { style: { background: known?.colour ?? "var(--tm-text-3)" } }), el("span", {}, name), share ? el("b", {}, share) : null,
        readOnly ? null : el("button", { type: "button", "aria-label": `Take the tag ${name} from all selected`, title: `Take it from all selected (Shift and its key)`, onclick: () => this.acts.take(tag) }, "×"));
    }), tags.length > MOST_CHIPS ? el("span", { class: "tm-faint" }, `and ${tags.length - MOST_CHIPS} more`) : "");
    for (const one of [this.yes, this.no]) {
      one.hidden = !asked.length;
      one.disabled = readOnly;
    }
    this.question.hidden = !asked.length;
    this.question.textContent = words(asked, classes);
    this.undo.disabled = readOnly;
    this.clear.hidden = !size || single;
    this.open.hidden = single;
    this.open.disabled = !chosen.length;
  }
}

/** The question in words: "train? 93 %" of one image, "train?" or "3 classes?" of several. */
function words(asked, classes) {
  const tags = [...new Set(asked.map(([tag]) => tag))];
  const what = tags.length === 1 ? (classes.get(tags[0])?.name ?? "this") : `${tags.length} classes`;
  return `${what}?${asked.length === 1 ? ` ${percent(asked[0][1])}` : ""}`;
}
