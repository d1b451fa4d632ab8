// The row of buttons below the picture: what is done with the mask that is looked at.
import { el } from "../ui.js";

export class Acts {
  /** `saving` says what waits to be sent; the functions are the desk's. */
  constructor({ saving, undo, edit, decide, step }) {
    const act = (id, label, about, run, kind = "") => el("button", { type: "button", class: `tm-button ${kind}`, dataset: { act: id, title: about }, onclick: run }, label, el("kbd", {}));
    const arrow = (id, label, path, by) => el("button", { type: "button", class: "tm-button icon quiet", "aria-label": label, dataset: { act: id, title: label }, onclick: () => step(by) },
      el("svg:svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, el("svg:path", { d: path })));
    this.buttons = {
      undo: act("undo", "Undo", "Take back your last decision", undo),
      edit: act("edit", "Edit", "Draw this mask anew", edit),
      reject: act("reject", "Reject", "This mask is not good enough", () => decide("reject"), "danger"),
      skip: act("skip", "Skip", "Leave it for later", () => decide("skip")),
      accept: act("accept", "Accept", "Keep this mask for training", () => decide("accept"), "primary"),
    };
    this.element = el("div", { class: "cu-acts" }, arrow("previous", "Previous, without deciding", "M10 3 5 8l5 5", -1), arrow("next", "Next, without deciding", "m6 3 5 5-5 5", 1),
      saving, el("span", { class: "cu-gap" }), Object.values(this.buttons));
  }

  /** What can be pressed: a mask that is not on the screen is not judged, in a read-only workspace none is. */
  allow({ row, ready, readOnly }) {
    const { undo, skip, edit, accept, reject } = this.buttons;
    const off = !row || readOnly;
    undo.disabled = readOnly;
    skip.disabled = off;
    for (const button of [edit, accept, reject]) button.disabled = off || ready !== row.id;
  }
}
