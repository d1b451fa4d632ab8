// The Data tab: what is in the workspace, its images and tags, what to bring in and take out.
import { el, formatNumber, getJSON, onTabVisible } from "./ui.js";
import { imageTable } from "./data/images.js";
import { duplicateBox } from "./data/duplicates.js";
import { importBox } from "./data/import.js";
import { snapshotBox } from "./data/snapshots.js";
import { classBox } from "./data/classes.js";
import { transferBox } from "./data/transfers.js";
import { peopleBox } from "./people/box.js";

export async function mount(root) {
  const style = el("link", { rel: "stylesheet", href: "/tagmask/static/data.css" });
  await new Promise((done) => { style.onload = style.onerror = done; document.head.append(style); });
  const numbers = el("dl", { class: "da-numbers" });
  const place = el("p", { class: "tm-faint tm-mono da-place", title: "The workspace's folder on the machine that serves this page" });
  const table = imageTable();
  const refresh = async () => {
    let summary;
    try {
      summary = await getJSON("data/summary");
    } catch (error) {
      numbers.replaceChildren(el("p", { class: "da-error", role: "alert" }, error.message, " ", el("button", { class: "tm-button small", onclick: refresh }, "Try again")));
      return;
    }
    place.textContent = summary.folder;
    numbers.replaceChildren(...facts(summary));
    classes.show(summary.classes, summary.images, summary.read_only);
    table.setClasses(summary.classes, summary.read_only);
    snapshots.setReadOnly(summary.read_only);
    for (const each of [bring, transfers, duplicates]) each.setReadOnly(summary.read_only);
    await Promise.all([table.load(), snapshots.load(), people.load(), transfers.load(), duplicates.load()]);
  };
  const transfers = transferBox(refresh);
  const bring = importBox(refresh, transfers.load);
  const snapshots = snapshotBox(transfers.load);
  const duplicates = duplicateBox((on) => { table.element.hidden = on; duplicates.view.hidden = !on; });
  const people = peopleBox();
  const classes = classBox(refresh, (id) => table.filter(id));
  root.replaceChildren(
    el("div", { class: "da" },
      el("aside", { class: "da-side" }, numbers, place, bring.element, transfers.element, snapshots.element, duplicates.element, people.element, classes.element),
      table.element, duplicates.view));
  onTabVisible("data", refresh);
}

function facts({ images, tagged, with_truth: truth, candidates, decisions, free_bytes: free }) {
  const fact = (value, label, title) => el("div", { title }, el("dd", {}, value), el("dt", {}, label));
  return [
    fact(formatNumber(images), "images", "Photographs in this workspace, each counted once however often it was brought in"),
    fact(formatNumber(tagged), "tagged", "Images with at least one tag; only these can be trained on"),
    fact(formatNumber(candidates.total), "candidates", "Masks offered for review"),
    fact(formatNumber(candidates.verdicts.accept + candidates.verdicts.fix), "accepted", "Candidates accepted or fixed; these go into the next snapshot"),
    fact(formatNumber(decisions), "decisions", "Rows in the log of decisions, undone ones included; none is ever deleted"),
    fact(formatNumber(truth), "with truth", "Images whose true mask is known; it is used for measuring only"),
    fact(`${formatNumber(free / 2 ** 30, 0)} GB`, "disk free", "Free space on the disk that holds the workspace"),
  ];
}
