// What is said where there is nothing to look at, and what to do about it.
import { el, formatNumber } from "../ui.js";
import { narrowed } from "./address.js";

/** Elements for the well, of the queue as it stands and the counts (null while they are not read yet). */
export function nothing({ filters, rows }, counts) {
  const say = (title, text) => [el("h2", {}, title), el("p", {}, text)];
  if (!counts) return [el("div", { class: "tm-skeleton cu-loading" })];
  if (!counts.total) return say("No candidate masks yet", "Open an image in Inspect and press “Offer as candidate”, or let finished weights propose masks for every image: Train, then “Make candidates”.");
  const open = filters.verdict === "undecided";
  if (open && !narrowed(filters)) {
    const { accept, reject, skip } = counts.verdicts;
    return say("Every candidate is decided", `${formatNumber(accept)} accepted, ${formatNumber(reject)} rejected, ${formatNumber(skip)} skipped. Freeze the accepted set in Train and train again.`);
  }
  if (open && rows.length) return say("Every candidate under these filters is decided", "Loosen a filter on the left to go on with others.");
  return say("Nothing matches these filters", "Loosen a filter on the left; the queue shows what is left at once.");
}
