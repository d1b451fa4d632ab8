// The bar above the picture: what is edited, undo and redo, how the mask is shown, and the way out.
import { el } from "../../ui.js";
import { showKeys } from "./tools.js";

export class Head {
  constructor(editor) {
    const button = (label, key, title, act, kind = "quiet small") => el("button", {
      type: "button", class: `tm-button ${kind}`, title: `${title} (key ${key})`, "aria-keyshortcuts": key, onclick: act,
    }, label, el("kbd", {}, key));
    const { row } = editor;
    this.undo = button("Undo", "Z", "Take the last change back", () => editor.undo());
    this.redo = button("Redo", "⇧Z", "Make it again", () => editor.redo());
    this.hidden = button("Hide", "H", "Hide or show the mask", () => editor.toggle("hidden"));
    this.outline = button("Outline", "O", "Draw only the mask's outline", () => editor.toggle("outline"));
    this.opacity = el("input", { type: "range", min: 0.1, max: 1, step: 0.05, value: editor.surface.view.opacity, "aria-label": "Mask opacity", title: "Mask opacity (keys + and −)", oninput: () => editor.fade(Number(this.opacity.value) - editor.surface.view.opacity) });
    this.zoom = el("button", { type: "button", class: "tm-button quiet small ed-zoom", title: "All of the image (key Home)", "aria-label": "Fit the image", onclick: () => editor.fit() });
    this.draft = el("span", { class: "ed-draft", role: "status" });
    this.save = button("Save", "S", "Keep it as a new version of the mask", () => editor.save(), "primary small");
    this.element = el("header", { class: "ed-head" },
      el("h2", { title: `${row.image_name}, drawn over the mask of ${row.method} (${row.digest.slice(0, 12)})` }, row.image_name),
      el("span", { class: "ed-group" }, this.undo, this.redo),
      el("span", { class: "ed-group" }, this.hidden, this.outline, this.opacity, this.zoom),
      el("span", { class: "ed-gap" }), this.draft,
      el("button", { type: "button", class: "tm-button quiet small ed-help", title: "The editor's keys (key ?)", onclick: showKeys }, "Keys", el("kbd", {}, "?")),
      button("Close", "Esc", "Close the editor; what is not saved stays as a draft", () => editor.leave(), "small"), this.save);
  }

  showSteps({ canUndo, canRedo }) {
    this.undo.disabled = !canUndo;
    this.redo.disabled = !canRedo;
  }

  showView({ hidden, outline, opacity }) {
    this.hidden.setAttribute("aria-pressed", String(hidden));
    this.outline.setAttribute("aria-pressed", String(outline));
    this.opacity.value = opacity;
  }

  showZoom(scale) {
    this.zoom.textContent = `${Math.round((100 * scale) / devicePixelRatio)}%`;
  }

  /** What becomes of the drawing meanwhile; `bad` where it is not safe. */
  sayDraft(words, bad = false) {
    this.draft.textContent = words;
    this.draft.title = words;
    this.draft.classList.toggle("bad", bad);
  }

  working(on) {
    this.save.disabled = on;
    this.save.firstChild.textContent = on ? "Saving…" : "Save";
  }
}
