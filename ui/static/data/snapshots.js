// Snapshots: freeze what is accepted, list what was frozen, download it.
import { api, el, formatNumber, getJSON, reviewer, toast } from "../ui.js";

const images = (count) => `${formatNumber(count)} ${count === 1 ? "image" : "images"}`;

/** {element, load, setReadOnly}. */
export function snapshotBox() {
  const list = el("ul", { class: "da-snapshots" });
  const name = el("input", { class: "tm-input", placeholder: "Name", "aria-label": "Name of the snapshot", maxlength: 64 });
  const freeze = el("button", { class: "tm-button", type: "submit", title: "Freeze every accepted or fixed mask, with its image, under one digest" }, "Freeze accepted");
  const form = el("form", { class: "da-row", onsubmit: async (event) => {
    event.preventDefault();
    freeze.disabled = true;
    try {
      const made = await api("data/snapshots", { name: name.value.trim() || "snapshot", reviewer: reviewer() });
      toast(made.new ? `Frozen: ${images(made.count)} as ${made.digest.slice(0, 12)}.` : `Nothing changed since snapshot “${made.name}” (${made.digest.slice(0, 12)}).`, "good");
      name.value = "";
      await load();
    } catch (error) {
      toast(error.message, "warn");
    } finally {
      freeze.disabled = readOnly;
    }
  } }, name, freeze);
  let readOnly = false;

  async function load() {
    const { snapshots } = await getJSON("data/snapshots");
    list.replaceChildren(...snapshots.map((each) =>
      el("li", {},
        el("span", { class: "da-grow" }, el("b", {}, each.name), el("span", { class: "tm-faint" }, ` ${images(each.count)} · ${each.by}`),
          el("span", { class: "tm-faint tm-mono da-digest", title: `Frozen ${new Date(each.at * 1000).toLocaleString()}; the name is the sha256 of what it holds` }, each.digest.slice(0, 12))),
        el("a", { class: "tm-button small", href: `/tagmask/api/data/snapshots/${each.digest}.zip`, download: "", title: "Images, masks and tags in Pascal VOC layout" }, "VOC zip"))));
    if (!snapshots.length) list.replaceChildren(el("li", { class: "tm-faint" }, "None yet. A snapshot is what a run trains on; it never changes."));
  }
  return {
    element: el("section", {}, el("h3", {}, "Snapshots"), form, list),
    load,
    setReadOnly(off) { readOnly = off; freeze.disabled = off; name.disabled = off; },
  };
}
