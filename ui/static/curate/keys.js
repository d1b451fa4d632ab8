// The map of keys, as a dialog in which each can be given to another key.
import { el } from "../ui.js";
import { ACTIONS, keyOf, printed } from "./actions.js";

/** Opens the map of keys; Escape closes it, or ends the waiting for a key. */
export function showKeys(bindings) {
  const said = el("p", { class: "cu-keys-said", role: "status" }, "");
  const reset = el("button", { type: "button", class: "tm-button", onclick: () => { bindings.reset(); stop("Every key is as it came."); draw(); } }, "Reset all");
  const list = el("dl", { class: "cu-keys-list" });
  const dialog = el("dialog", { class: "tm cu-keys", "aria-label": "Keys" },
    el("h2", {}, "Keys"),
    el("p", { class: "tm-faint" }, "Keys rest while you type in a field. To give an action another key, press its button here, then the key; this browser keeps it. The mask editor has keys of its own, which ? shows there."),
    list, said,
    el("form", { method: "dialog" }, reset, el("span", { class: "cu-gap" }), el("button", { class: "tm-button primary", autofocus: true }, "Close")));
  let waiting = null;

  function stop(sentence = "") {
    waiting = null;
    said.textContent = sentence;
    said.classList.remove("bad");
  }

  function ask(action) {
    stop(`Press the key for “${action.label}”, or Escape to leave it.`);
    waiting = action;
    draw();
    list.querySelector(`[data-action="${action.id}"]`).focus();
  }

  function draw() {
    list.replaceChildren(...ACTIONS.map((action) => [
      el("dt", {}, el("button", {
        type: "button", class: "tm-button small", "aria-pressed": String(waiting === action), dataset: { action: action.id },
        "aria-label": `Change the key of: ${action.label}. Now ${bindings.keysOf(action.id).map(printed).join(" or ")}`, title: "Give it another key", onclick: () => (waiting === action ? (stop(), draw()) : ask(action)),
      }, waiting === action ? "press…" : bindings.keysOf(action.id).map((key) => el("kbd", {}, printed(key))))),
      el("dd", {}, action.label)]).flat());
    reset.disabled = !bindings.changed;
  }

  dialog.addEventListener("keydown", (event) => {
    if (!waiting || ["Shift", "Control", "Alt", "Meta"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const action = waiting;
    if (event.key === "Escape") {
      stop();
    } else if (event.ctrlKey || event.metaKey || event.altKey) {
      said.textContent = "A key is one key alone: those with Ctrl, Alt or ⌘ belong to the browser.";
      return;
    } else {
      const refused = bindings.bind(action.id, keyOf(event));
      if (refused) {
        said.textContent = refused;
        said.classList.add("bad");
        return;
      }
      stop(`“${action.label}” is ${printed(keyOf(event))} now.`);
    }
    draw();
    list.querySelector(`[data-action="${action.id}"]`).focus();
  }, true);
  dialog.addEventListener("cancel", (event) => { if (waiting) event.preventDefault(); });
  dialog.addEventListener("close", () => dialog.remove());
  draw();
  document.body.append(dialog);
  dialog.showModal();
}
