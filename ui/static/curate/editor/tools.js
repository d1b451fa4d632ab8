// The tools and the map of keys: what each is called, its key, its picture, and how it is used.
import { el } from "../../ui.js";

export const TOOLS = [
  { name: "brush", label: "Brush", key: "B", hint: "Drag to paint · right button erases · [ and ] change the size",
    icon: "M14.5 2.5 7 10m0 0c1 .3 1.7 1 2 2m-2-2c-2 0-3 1-3.3 2.6C3.500 13.800 3 14.300 2 14.500c2.600.900 6.300.500 7-2.500" },
  { name: "eraser", label: "Eraser", key: "E", hint: "Drag to set pixels back to background · [ and ] change the size",
    icon: "m6 13.500-3.500-3.500a1 1 0 0 1 0-1.400l6-6a1 1 0 0 1 1.400 0l3.500 3.500a1 1 0 0 1 0 1.400L7.500 13.500H6Zm0 0h8M5.500 5.500l5 5" },
  { name: "polygon", label: "Polygon: add", key: "P", hint: "Click corner by corner · Enter or a double click closes · Backspace takes a corner back · Esc drops it",
    icon: "M3 11 5 4l7-1 2 6-5 5-6-3Zm5-4.500v4M6 8.500h4" },
  { name: "cut", label: "Polygon: subtract", key: "Shift+P", hint: "Click around what is to become background · Enter or a double click closes · Esc drops it",
    icon: "M3 11 5 4l7-1 2 6-5 5-6-3Zm3-2.500h4" },
  { name: "fill", label: "Fill", key: "F", hint: "Click a region to give it the class, as far as it hangs together",
    icon: "m7 2 6 6-5 5a1.400 1.400 0 0 1-2 0L2.500 9.500a1.400 1.400 0 0 1 0-2L7.500 2.500M3 8.500h9.500M14 11c.700 1 1 1.600 1 2a1 1 0 0 1-2 0c0-.4.300-1 1-2Z" },
];

const GROW = "M8 1.500v3m0 7v3m6.500-6.500h-3m-7 0h-3M8 5.500a2.500 2.500 0 1 0 0 5 2.500 2.500 0 0 0 0-5Z";

const KEYS = [
  ["B E F", "Brush, eraser, fill"], ["P Shift+P", "Polygon that adds, that subtracts"], ["G", "Grow the class to the edges nearby"],
  ["1 … 9", "Class by its number"], ["0 I", "Background, ignore"], ["C", "The class under the pointer"], ["K", "Keep other classes as they are"],
  ["[ ]", "Smaller, larger brush; shorter, longer reach of a snap"], ["Z Shift+Z", "Undo, redo"], ["Enter Esc", "Keep or drop what is pending"],
  ["H O", "Hide the mask, outline only"], ["+ −", "Opacity"], ["Wheel", "Zoom at the pointer"], ["Space", "Hold and drag to move; so does the middle button"], ["Home", "All of the image"],
  ["S", "Save as a new version"], ["Esc", "Close; what is not saved stays as a draft"],
];

export function icon(path) {
  return el("svg:svg", { viewBox: "0 0 16 16", width: 18, height: 18, fill: "none", stroke: "currentColor", "stroke-width": 1.3, "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true" }, el("svg:path", { d: path }));
}

/** The bar of tools; `onTool(name)`, `onGrow()`. */
export function toolbar({ onTool, onGrow }) {
  const button = (label, key, path, act, data) => el("button", {
    type: "button", class: "tm-button quiet ed-tool", title: `${label} (key ${key})`, "aria-label": label, "aria-keyshortcuts": key, dataset: data, onclick: act,
  }, icon(path), el("kbd", {}, key.replace("Shift+", "⇧")));
  const buttons = TOOLS.map(({ name, label, key, icon: path }) => button(label, key, path, () => onTool(name), { tool: name }));
  const grow = button("Grow to edge", "G", GROW, onGrow, { tool: "grow" });
  return {
    element: el("div", { class: "ed-tools", role: "toolbar", "aria-label": "Tools", "aria-orientation": "vertical" }, buttons, el("hr"), grow),
    grow,
    choose(name) {
      for (const each of buttons) each.setAttribute("aria-pressed", String(each.dataset.tool === name));
    },
  };
}

/** Opens the editor's map of keys; Escape closes it. */
export function showKeys() {
  const dialog = el("dialog", { class: "tm ed-keys", "aria-label": "Keys of the editor" },
    el("h2", {}, "Keys of the editor"),
    el("dl", {}, KEYS.map(([key, what]) => [el("dt", {}, key.split(" ").map((each) => (each === "…" ? "…" : el("kbd", {}, each)))), el("dd", {}, what)])),
    el("form", { method: "dialog" }, el("button", { class: "tm-button", autofocus: true }, "Close")));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
