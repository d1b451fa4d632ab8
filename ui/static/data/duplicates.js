// Images that are there twice: the same bytes under other names, and those that look alike.
import { api, el, formatNumber, getJSON, may, toast } from "../ui.js";
import { lookAt } from "../tabs.js";

const CLOSENESS = [[2, "Nearly the same"], [6, "Much alike"], [10, "Somewhat alike"]];

/** {element, view, load, setReadOnly}: a part for the side, and a view that takes the table's place; show(on) does that. */
export function duplicateBox(show) {
  let [within, readOnly, found] = [6, false, null];
  const said = el("p", { class: "tm-muted", role: "status" });
  const open = el("button", { type: "button", class: "tm-button small", onclick: () => { show(true); view.querySelector("select").focus(); } }, "Show them");
  const look = el("button", { type: "button", class: "tm-button small", hidden: true, onclick: lookAt });
  const close = el("select", { class: "tm-select", "aria-label": "How much alike", onchange: () => { within = Number(close.value); load(); } },
    CLOSENESS.map(([bits, label]) => el("option", { value: bits, selected: bits === within }, `${label} (${bits} of 64 bits)`)));
  const list = el("div", { class: "da-scroll da-groups" });
  const count = el("span", { class: "tm-muted", role: "status" });
  const view = el("section", { class: "da-main", "aria-label": "Duplicates", hidden: true },
    el("div", { class: "da-bar" }, el("button", { type: "button", class: "tm-button", onclick: () => show(false) }, "Back to the images"), close, el("span", { class: "da-grow" }), count), list);

  async function load() {
    try {
      found = await getJSON("data/duplicates", { within });
    } catch (error) {
      said.textContent = error.message;
      return;
    }
    const { same_count: same, near_count: near, unhashed } = found;
    said.textContent = `${same ? `${formatNumber(same)} ${same === 1 ? "image" : "images"} came in more than once` : "None came in twice"}; ${near ? `${formatNumber(near)} ${near === 1 ? "group looks" : "groups look"} alike` : "none look alike"}.`;
    count.textContent = said.textContent;
    open.disabled = !same && !near && within === 6;
    look.hidden = !unhashed || readOnly || !may("trainer");
    look.textContent = `Look at ${formatNumber(unhashed)} older ${unhashed === 1 ? "image" : "images"}`;
    list.replaceChildren(...found.near.map(group), ...found.same.map(twice));
    if (!list.childElementCount) list.replaceChildren(el("div", { class: "tm-empty" }, el("h2", {}, "No duplicates"), el("p", {}, "No two images of this workspace look this much alike, and none came in under two names.")));
  }

  async function lookAt() {
    look.disabled = true;
    try {
      for (let left = 1; left;) {
        left = (await api("data/duplicates")).unhashed;
        look.textContent = `${formatNumber(left)} left…`;
      }
    } catch (error) {
      toast(error.message, "warn");
    } finally {
      look.disabled = false;
    }
    await load();
  }

  const picture = (image, label) => el("figure", {},
    el("button", { type: "button", class: "da-picture", title: `Look at ${image.name} in Inspect`, onclick: () => lookAt(image.name) },
      el("img", { src: `/tagmask/thumbs/${image.digest}?side=192`, alt: image.name, loading: "lazy", width: 176, height: 132 })),
    el("figcaption", {}, label ?? image.name));
  const group = (each) => el("article", { class: "da-group" },
    el("h3", {}, each.apart ? `${each.apart} of 64 bits differ` : "No bit differs", each.count > each.images.length ? ` · ${formatNumber(each.count)} images` : ""),
    el("div", { class: "da-alike" }, each.images.map((image) => picture(image))));
  const twice = (each) => el("article", { class: "da-group" },
    el("h3", {}, "The same file under other names, kept once"),
    el("div", { class: "da-alike" }, picture(each), el("p", {}, "Also came in as ", el("b", {}, each.also.join(", ")))));

  return { element: el("section", { "aria-label": "Duplicates" }, el("h3", {}, "Duplicates"), said, el("div", { class: "da-buttons" }, open, look)), view, load, setReadOnly(off) { readOnly = off; } };
}
