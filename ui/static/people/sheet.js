// People: a sheet over the page with everybody's progress, sharing images out, and agreement.
import { el, getJSON, toast } from "../ui.js";
import { style } from "./style.js";
import { progressList } from "./progress.js";
import { sharingForm } from "./sharing.js";
import { agreementPart } from "./agreement.js";

/** Opens the sheet; `closed()` is called when it goes. Escape closes it. */
export async function openPeople(closed = () => {}) {
  await style();
  const progress = progressList(refresh);
  const sharing = sharingForm(refresh);
  const agreement = agreementPart((name) => {
    dialog.close();
    location.hash = new URLSearchParams({ tab: "curate", verdict: "all", name });
  });
  const dialog = el("dialog", { class: "tm pe-sheet", "aria-labelledby": "pe-title" },
    el("header", {}, el("h2", { id: "pe-title" }, "People"), el("span", { class: "pe-gap" }),
      el("form", { method: "dialog" }, el("button", { class: "tm-button small quiet", "aria-label": "Close", title: "Close (Escape)", autofocus: true }, "✕"))),
    el("div", { class: "pe-columns" },
      el("div", {}, part("Progress", progress.element), part("Share out", sharing.element)),
      el("div", {}, part("Agreement", agreement.element))));
  dialog.addEventListener("close", () => { dialog.remove(); closed(); });
  // A click on what lies behind the sheet closes it, as Escape does.
  dialog.addEventListener("pointerdown", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();

  async function refresh() {
    try {
      const summary = await getJSON("people/summary");
      progress.show(summary);
      sharing.show(summary);
      await agreement.load(summary.classes);
    } catch (error) {
      toast(error.message, "bad");
    }
  }
  await refresh();
}

function part(title, ...children) {
  return el("section", { "aria-label": title }, el("h3", {}, title), ...children);
}
