// Shares of an image as they are read: a mark, a word where there is room, a percentage.
import { el } from "../ui.js";

/** 0.1234 -> "12%"; small shares keep a digit. */
export function percent(share) {
  if (share === undefined || share === null) return "–";
  return share > 0 && share < 0.0995 ? `${(share * 100).toFixed(1)}%` : `${Math.round(share * 100)}%`;
}

/** A round mark of a colour. */
export function dot(colour) {
  return el("i", { class: "tmv-dot", style: { background: colour } });
}

/** A mark, what it stands for (shown where a panel is wide), and its share (whose sign a narrow one leaves out). */
export function share(mark, name, value, title) {
  const text = percent(value);
  return el("span", { class: "tmv-share", title }, mark, el("span", { class: "tmv-share-name" }, name), el("span", {}, text.replace("%", ""), text.endsWith("%") ? el("span", { class: "tmv-percent" }, "%") : null));
}
