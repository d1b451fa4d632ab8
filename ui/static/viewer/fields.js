// Rows of settings: a slider with its number, and a choice among names.
import { el, formatNumber } from "../ui.js";

/**
 * A slider with a number field and a way back. `get()` is the value, undefined where there is none; `set(value)` takes a new one;
 * `standard()` is where the way back leads. `factor` times the value is what is shown. Answers {root, show}.
 */
export function sliderRow({ title, about, min, max, step, factor = 1, digits = step < 0.1 ? 2 : step < 1 ? 1 : 0 }, { get, set, standard }) {
  const move = (value) => (Number.isFinite(value) ? set(Math.min(Math.max(value, min), max)) : show());
  const range = el("input", { type: "range", min, max, step, "aria-label": title, title: about, oninput: () => move(Number(range.value)) });
  const number = el("input", {
    type: "number", class: "tmv-number", min: min * factor, max: max * factor, step: factor === 1 ? step : "any", "aria-label": `${title}, as a number`, title: about,
    onchange: () => (number.value.trim() === "" ? show() : move(Number(number.value) / factor)),
  });
  const undo = el("button", { type: "button", class: "tmv-undo", "aria-label": `Reset ${title}`, onclick: () => set(standard()) }, "↺");
  const show = () => {
    const value = get();
    if (value === undefined) return;
    range.value = value;
    range.style.setProperty("--share", (value - min) / (max - min));
    number.value = (value * factor).toFixed(digits);
    undo.hidden = value === standard();
    undo.title = `Back to ${formatNumber(standard() * factor, digits)}`;
  };
  return { root: el("div", { class: "tmv-slider" }, el("label", { title: about }, title), range, number, undo), show };
}

/** A choice among `options`, pairs of value and words. Answers {root, show}. */
export function choiceRow({ title, about, options }, { get, set }) {
  const select = el("select", { class: "tm-select", "aria-label": title, title: about, onchange: () => set(select.value) },
    options.map(([value, text]) => el("option", { value }, text)));
  return { root: el("div", { class: "tmv-choice" }, el("label", { title: about }, title), select), show: () => { select.value = get(); } };
}
