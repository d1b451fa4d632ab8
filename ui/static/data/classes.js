// The classes that images can be tagged with, and how many images have each.
import { api, el, formatNumber, toast } from "../ui.js";

/** {element, show}; calls changed() after adding one and chosen(id) to look at its images. */
export function classBox(changed, chosen) {
  const list = el("ul", { class: "da-classes" });
  const name = el("input", { class: "tm-input", placeholder: "New class", "aria-label": "Name of a new class", maxlength: 64 });
  const add = el("button", { class: "tm-button", type: "submit" }, "Add");
  const form = el("form", { class: "da-row", onsubmit: async (event) => {
    event.preventDefault();
    if (!name.value.trim()) return;
    try {
      await api("data/classes", { name: name.value.trim() });
      name.value = "";
      await changed();
    } catch (error) {
      toast(error.message, "warn");
    }
  } }, name, add);
  return {
    element: el("section", {}, el("h3", {}, "Classes"), form, list),
    show(classes, images, readOnly) {
      name.disabled = add.disabled = readOnly;
      list.replaceChildren(...classes.map((each) =>
        el("li", {},
          el("button", { type: "button", title: `Show the images tagged ${each.name}`, onclick: () => chosen(each.id) },
            el("i", { style: { background: each.colour } }), el("span", { class: "da-grow" }, each.name),
            el("span", { class: "da-share", "aria-hidden": "true" }, el("i", { style: { width: `${images ? (100 * each.images) / images : 0}%`, background: each.colour } })),
            el("span", { class: "da-count" }, formatNumber(each.images))))));
      if (!classes.length) list.replaceChildren(el("li", { class: "tm-faint" }, "None yet. Add what your images show, then tag them."));
    },
  };
}
