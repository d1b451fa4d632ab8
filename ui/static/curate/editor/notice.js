// What the reviewer has to know about this mask, in a bar over the picture: a draft, a newer version, a lost lease.
import { el } from "../../ui.js";
import { fetchLabels, paintLabels } from "../../masks.js";

const THUMB = 220;

export class Notices {
  constructor() {
    this.element = el("div", { class: "ed-notices", "aria-live": "polite" });
    this.shown = new Map();
  }

  /** Shows a notice in the place of an earlier one of the same kind: words, and what to do about it, [label, act] each. */
  show(kind, words, acts = [], more = null) {
    const button = ([label, act, primary]) => el("button", { type: "button", class: `tm-button small ${primary ? "primary" : ""}`, onclick: () => { this.hide(kind); act?.(); } }, label);
    const node = el("div", { class: `ed-bar ed-notice ${kind}`, role: "status" }, el("p", {}, words), more, el("div", { class: "ed-notice-acts" }, acts.map(button)));
    this.hide(kind);
    this.shown.set(kind, node);
    this.element.append(node);
  }

  hide(kind) {
    this.shown.get(kind)?.remove();
    this.shown.delete(kind);
  }
}

/** Two masks side by side over their photograph, each with its name: what is drawn here, and what is stored. */
export function sideBySide(image, mask, newer, colours) {
  const mine = picture(image, mask, colours, "Yours");
  const theirs = el("figure", {}, el("div", { class: "tm-skeleton ed-thumb" }), el("figcaption", {}, newer.reviewer ?? "Theirs"));
  fetchLabels(newer.digest).then(
    (labels) => theirs.replaceWith(picture(image, labels, colours, newer.reviewer ?? "Theirs")),
    (error) => theirs.replaceChildren(el("p", {}, error.message)));
  return el("div", { class: "ed-pair" }, mine, theirs);
}

function picture(image, { width, height, ids }, colours, name) {
  const scale = (THUMB * devicePixelRatio) / Math.max(width, height);
  const size = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  const canvas = el("canvas", { ...size, class: "ed-thumb", role: "img", "aria-label": `${name}: the mask` });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, size.width, size.height);
  context.globalAlpha = 0.6;
  context.drawImage(paintLabels({ width, height, ids }, colours), 0, 0, size.width, size.height);
  return el("figure", {}, canvas, el("figcaption", {}, name));
}
