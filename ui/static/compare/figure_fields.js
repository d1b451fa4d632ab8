// The fields of the figure dialog: lists in an order, choices, numbers, switches.
import { el } from "../ui.js";

/**
 * A list of items that can be moved and taken out. `title(item)` is what it is called; with `named`, a Map, each has a field for a
 * title of one's own. Answers {root, items, add(item), draw()}.
 */
export function orderedList({ label, items, onChange, title, named = null }) {
  const root = el("ul", { class: "cp-fig-items" });
  const list = { root, items: [...items], add, draw };
  const button = (text, said, onclick, disabled = false) => el("button", { type: "button", class: "tm-button quiet small", "aria-label": said, title: said, disabled, onclick }, text);

  function add(item) {
    if (!item || list.items.includes(item)) return;
    list.items.push(item);
    draw();
    onChange();
  }

  function move(at, by) {
    const [item] = list.items.splice(at, 1);
    list.items.splice(at + by, 0, item);
    draw();
    onChange();
  }

  function drop(at) {
    list.items.splice(at, 1);
    draw();
    onChange();
  }

  function draw() {
    root.replaceChildren(...list.items.map((item, at) => {
      const called = title(item);
      const name = named
        ? el("input", { class: "tm-input", value: named.get(item) ?? "", placeholder: called, "aria-label": `Title of the column ${called}`, title: `${called}: its title in the figure`, oninput: (event) => { if (event.target.value.trim()) named.set(item, event.target.value.trim()); else named.delete(item); onChange(); } })
        : el("span", { class: "cp-fig-what", title: called }, called);
      return el("li", {}, name, button("↑", `${label} ${called}: earlier`, () => move(at, -1), at === 0), button("↓", `${label} ${called}: later`, () => move(at, 1), at === list.items.length - 1), button("✕", `${label} ${called}: leave out`, () => drop(at)));
    }));
  }

  draw();
  return list;
}

/** A choice among [value, text] that writes itself into values[name]. */
export function choices(values, name, label, pairs, onChange) {
  const select = el("select", { class: "tm-select", onchange: () => { values[name] = select.value; onChange(); } }, pairs.map(([value, text]) => el("option", { value }, text)));
  select.value = values[name];
  return el("label", {}, label, select);
}

/** A number that writes itself into values[name]. */
export function numbers(values, name, label, { min, max, step }, onChange) {
  const input = el("input", { class: "tm-input", type: "number", min, max, step, value: values[name], onchange: () => {
    const value = Number(input.value);
    if (input.value.trim() === "" || !Number.isFinite(value)) input.value = values[name];
    else { values[name] = String(Math.min(Math.max(value, min), max)); input.value = values[name]; onChange(); }
  } });
  return el("label", {}, label, input);
}

/** Boxes to tick, one for each name. */
export function switches(values, titles, onChange) {
  return Object.entries(titles).map(([name, text]) => {
    const box = el("input", { type: "checkbox", checked: values[name], onchange: () => { values[name] = box.checked; onChange(); } });
    return el("label", {}, box, text);
  });
}
