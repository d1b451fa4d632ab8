// The part of the Data tab about people: who reviews and how far they are, and the way to the rest.
import { el, formatNumber, getJSON } from "../ui.js";
import { style } from "./style.js";
import { bar, count } from "./progress.js";
import { openPeople } from "./sheet.js";

const SHOWN = 6;

/** {element, load}. */
export function peopleBox() {
  const list = el("ul", { class: "pe-box" });
  const more = el("button", { type: "button", class: "tm-button small", title: "Everybody's progress, sharing images out, and how far reviewers agree", onclick: () => openPeople(load) }, "Progress, sharing out, agreement…");
  async function load() {
    await style();
    try {
      const { reviewers } = await getJSON("people/summary");
      list.replaceChildren(...reviewers.slice(0, SHOWN).map((each) => el("li", {},
        el("span", { class: "pe-name", title: each.reviewer }, each.reviewer),
        each.images ? bar(each.masks ? each.judged / each.masks : 0, `${each.judged} of ${each.masks} masks judged`) : el("span", {}),
        el("span", { class: "tm-faint" }, each.images ? `${formatNumber(each.judged)} of ${formatNumber(each.masks)}` : `${count(each.said, "mask")} judged`))));
      if (reviewers.length > SHOWN) list.append(el("li", { class: "tm-faint" }, `and ${reviewers.length - SHOWN} more`));
      if (!reviewers.length) list.replaceChildren(el("li", { class: "tm-faint" }, "Nobody has decided yet."));
    } catch (error) {
      list.replaceChildren(el("li", { class: "tm-faint" }, error.message));
    }
  }
  return { element: el("section", { class: "pe-part", "aria-label": "People" }, el("h3", {}, "People"), list, more), load };
}
