// A button that opens a short list of things to do.
import { el } from "../ui.js";

/** An element; `entries` are [label, note, act or address]. Escape and a click elsewhere close it. */
export function menu(label, title, entries) {
  const list = el("div", { class: "da-menu-list", role: "menu" }, entries.map(([name, note, act]) => {
    const inner = [el("span", {}, name), el("span", { class: "tm-faint" }, note)];
    return typeof act === "string"
      ? el("a", { role: "menuitem", href: act, download: "", onclick: shut }, inner)
      : el("button", { type: "button", role: "menuitem", onclick: () => { shut(); act(); } }, inner);
  }));
  const summary = el("summary", { class: "tm-button small", title }, label);
  const root = el("details", { class: "da-menu", ontoggle: opened, onkeydown: keyed }, summary, list);
  function shut() { root.open = false; }
  function outside(event) { if (!root.contains(event.target)) shut(); }
  function opened() {
    if (!root.open) return document.removeEventListener("pointerdown", outside);
    // Placed by the window, because the side scrolls and would cut it off.
    const box = summary.getBoundingClientRect();
    Object.assign(list.style, { left: `${Math.max(8, box.right - 260)}px`, top: `${box.bottom + 4}px`, bottom: "auto" });
    if (box.bottom + list.offsetHeight > innerHeight) Object.assign(list.style, { top: "auto", bottom: `${innerHeight - box.top + 4}px` });
    document.addEventListener("pointerdown", outside);
    list.firstElementChild?.focus();
  }
  function keyed(event) {
    const items = [...list.children];
    const at = items.indexOf(document.activeElement);
    if (event.key === "Escape" && root.open) { shut(); summary.focus(); }
    else if (event.key === "ArrowDown" && root.open) items[(at + 1) % items.length].focus();
    else if (event.key === "ArrowUp" && root.open) items[(at - 1 + items.length) % items.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  return root;
}
