// The heads of two columns: which side, which method, which weights, and the way to close it.
import { el } from "../ui.js";

/** The heads of both sides; `onClose(side)` leaves the other one alone. */
export function heads(sides, onClose) {
  return sides.map((side) => {
    const { choice, method } = side.source;
    return el("div", { class: "tmv-head", dataset: { side: side.letter } },
      el("span", { class: "tmv-badge", dataset: { side: side.letter } }, side.letter),
      el("b", { title: method ? `${method.title}: ${method.about}.` : null }, method?.title ?? "no method"),
      el("span", { class: "tmv-head-weights", title: choice ? `${choice.title}: ${choice.detail}` : null }, choice?.title ?? "no weights"),
      el("button", { type: "button", class: "tm-button quiet small icon", title: `Close ${side.letter} and keep the other (C closes B)`, "aria-label": `Close ${side.letter}`, onclick: () => onClose(side) }, "✕"));
  });
}

/** What went wrong on each side, with the way to try again. */
export function problems(sides, onRetry) {
  return sides.map((side) =>
    el("div", { class: "tmv-problem", role: "alert", hidden: !side.problem },
      sides.length > 1 ? el("span", { class: "tmv-badge", dataset: { side: side.letter } }, side.letter) : null,
      el("p", {}, side.problem ?? ""), el("button", { type: "button", class: "tm-button small", onclick: () => onRetry(side) }, "Try again")));
}
