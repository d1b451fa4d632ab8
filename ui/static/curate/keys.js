// The map of keys, as a dialog.
import { el } from "../ui.js";

const KEYS = [
  ["A", "Accept the mask"], ["X", "Reject it"], ["Space", "Skip it for now"], ["Z", "Undo your last decision, any number of times"],
  ["→ ←", "Next, previous, without deciding"], ["H", "Hide the mask"], ["O", "Outline only"], ["R", "The reference mask instead"], ["D", "Where mask and reference disagree"], ["+ −", "Mask opacity"], ["?", "This map"],
];

/** Opens the map of keys; Escape closes it. */
export function showKeys() {
  const dialog = el("dialog", { class: "tm cu-keys", "aria-label": "Keys" },
    el("h2", {}, "Keys"),
    el("dl", {}, KEYS.map(([key, what]) => [el("dt", {}, key.split(" ").map((each) => el("kbd", {}, each))), el("dd", {}, what)])),
    el("p", { class: "tm-faint" }, "Keys rest while you type in a field."),
    el("form", { method: "dialog" }, el("button", { class: "tm-button", autofocus: true }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
