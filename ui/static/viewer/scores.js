// The mask's scores, of one side or of both, and the way to offer a mask for review.
import { el, formatNumber } from "../ui.js";
import { SCORES, verdict, verdictOfTwo } from "./words.js";

export class Scores {
  /** `onOffer(letter)` makes a candidate of the mask shown on that side. */
  constructor({ onOffer, readOnly }) {
    Object.assign(this, { onOffer, readOnly });
    this.sentence = el("p", { class: "tmv-verdict" });
    this.rows = el("div");
    this.offers = el("div", { class: "tmv-offers" });
    this.root = el("section", { class: "tmv-section tmv-scores", "aria-label": "Mask score" },
      el("div", { class: "tmv-section-head" }, el("h3", {}, "Mask score")), this.rows, this.sentence, readOnly ? null : this.offers);
    this.arrange(["A"]);
  }

  /** Makes room for the scores of these sides. */
  arrange(letters) {
    if (String(letters) === String(this.letters)) return;
    this.letters = letters;
    this.told = new Map();
    this.cells = new Map(letters.map((letter) => [letter, {}]));
    this.barred = new Map();
    const two = letters.length > 1;
    this.root.classList.toggle("compare", two);
    this.rows.replaceChildren(...Object.entries(SCORES).map(([name, { title, about }]) =>
      el("div", { class: `tmv-score${name === "SC" ? " whole" : ""}`, title: about }, el("span", { class: "tmv-score-name" }, el("b", {}, name), title),
        letters.map((letter) => {
          const value = el("output", { class: "tmv-score-value" }, "–");
          const bar = el("i", { style: { width: "0" } });
          this.cells.get(letter)[name] = { value, bar };
          const meter = el("span", { class: "tmv-meter", dataset: two ? { side: letter } : {} }, bar);
          return two ? el("span", { class: "tmv-score-of" }, el("span", { class: "tmv-letter" }, letter), meter, value) : [value, meter];
        }))));
    this.buttons = new Map(letters.map((letter) => [letter, el("button", {
      type: "button", class: `tm-button${two ? "" : " primary"}`, disabled: true, onclick: () => this.onOffer(letter),
    })]));
    this.titles = new Map();
    this.offers.replaceChildren(...this.buttons.values());
    this.name(null);
    this.#say();
  }

  /** Says on the buttons which mask they offer; null is the one that counts. */
  name(title) {
    for (const [letter, button] of this.buttons) {
      const whose = this.letters.length > 1 ? ` ${letter}` : "";
      button.textContent = whose ? `Offer${whose}` : title ? `Offer ${title}` : "Offer as candidate";
      this.titles.set(letter, `Put ${title ?? "this mask"}${whose && ` of ${letter}`} into the Curate queue, with its scores`);
      this.#free(letter);
    }
  }

  /** Keeps a side's mask from being offered, and says why; null lets it be. */
  bar(letter, why) {
    this.barred.set(letter, why);
    this.#free(letter);
  }

  /** A side's scores are being made again. */
  expect() {
    this.root.classList.add("stale");
  }

  /** Takes the frame of a side's scores. */
  receive(letter, header) {
    this.root.classList.remove("stale");
    const known = header.kind === "score";
    this.told.set(letter, header);
    for (const [name, { value, bar }] of Object.entries(this.cells.get(letter) ?? {})) {
      value.textContent = known ? formatNumber(header.numbers[name], 2) : "–";
      bar.style.width = known ? `${header.numbers[name] * 100}%` : "0";
    }
    this.#free(letter);
    this.root.title = known ? header.caption : "";
    this.#say();
  }

  /** Locks or frees a side's button while its mask is on the way. */
  lock(letter, locked) {
    this.#free(letter, locked);
  }

  #free(letter, locked = false) {
    const button = this.buttons.get(letter);
    if (!button) return;
    const header = this.told.get(letter);
    const why = this.barred.get(letter);
    button.disabled = locked || Boolean(why) || header?.kind !== "score" || header.numbers.CD === 0;
    button.title = why ?? this.titles.get(letter);
  }

  #say() {
    const told = this.letters.map((letter) => this.told.get(letter));
    const missing = told.find((header) => header && header.kind !== "score");
    if (missing) this.sentence.textContent = missing.caption;
    else if (told.some((header) => !header)) this.sentence.textContent = "Appears when the mask is made.";
    else this.sentence.textContent = told.length > 1 ? verdictOfTwo(told[0].numbers, told[1].numbers) : verdict(told[0].numbers);
  }
}
