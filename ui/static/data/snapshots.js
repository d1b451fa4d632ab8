// Snapshots: freeze what is accepted, list what was frozen, download it.
import { api, barred, el, formatNumber, getJSON, may, reviewer, toast } from "../ui.js";
import { menu } from "./menu.js";

const images = (count) => `${formatNumber(count)} ${count === 1 ? "image" : "images"}`;
const FREEZES = "Freeze every accepted or fixed mask, with its image, under one digest";
const FORMATS = [
  ["voc", "Pascal VOC", "images, masks, tags.csv"],
  ["coco", "COCO", "run lengths, one region a class"],
  ["label-studio", "Label Studio", "brush strokes"],
  ["cvat", "CVAT for images", "XML with masks"],
  ["bundle", "Bundle", "all of it: decisions, scores, where it comes from"],
];

/** {element, load, setReadOnly}; calls exporting() when an export has begun. */
export function snapshotBox(exporting) {
  const list = el("ul", { class: "da-snapshots" });
  const name = el("input", { class: "tm-input", placeholder: "Name", "aria-label": "Name of the snapshot", maxlength: 64 });
  const freeze = el("button", { class: "tm-button", type: "submit", title: FREEZES }, "Freeze accepted");
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
      freeze.disabled = false;
    }
  } }, name, freeze);
  let readOnly = false;
  let shown = null;

  async function load() {
    const { snapshots } = await getJSON("data/snapshots");
    // The list is loaded anew whenever something ends; a menu that is open in it stays open.
    const now = JSON.stringify([snapshots, readOnly]);
    if (now === shown) return;
    shown = now;
    list.replaceChildren(...snapshots.map((each) =>
      el("li", {},
        el("span", { class: "da-grow" }, el("b", {}, each.name), el("span", { class: "tm-faint" }, ` ${images(each.count)} · ${each.by}`),
          el("span", { class: "tm-faint tm-mono da-digest", title: `Frozen ${new Date(each.at * 1000).toLocaleString()}; the name is the sha256 of what it holds` }, each.digest.slice(0, 12))),
        menu("Export", "Write it out as a zip for other programs, or for another workspace", entries(each)))));
    if (!snapshots.length) list.replaceChildren(el("li", { class: "tm-faint" }, "None yet. A snapshot is what a run trains on; it never changes."));
  }

  // Who may not write into the workspace is sent the zip at once; the bundle is made there only.
  function entries(snapshot) {
    if (readOnly || !may("trainer")) {
      return FORMATS.filter(([format]) => format !== "bundle").map(([format, name, note]) => [name, note, `/tagmask/api/data/snapshots/${snapshot.digest}.zip?format=${format}`]);
    }
    return FORMATS.map(([format, name, note]) => [name, note, async () => {
      try {
        await api("transfers/export", { snapshot: snapshot.digest, format, reviewer: reviewer() });
        exporting();
      } catch (error) {
        toast(error.message, "warn");
      }
    }]);
  }

  return {
    element: el("section", {}, el("h3", {}, "Snapshots"), form, list),
    load,
    setReadOnly(off) {
      readOnly = off;
      const why = barred("trainer");
      freeze.disabled = name.disabled = off || why !== "";
      freeze.title = name.title = why || FREEZES;
    },
  };
}
