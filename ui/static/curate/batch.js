// Accepting or rejecting every mask under the filters: how many, a look at them, then one act that one undo takes back.
import { el, formatNumber, getJSON } from "../ui.js";
import { asked } from "./address.js";
import { VERDICT } from "./list.js";
import { paintThumb } from "./strip.js";

const SHOWN = 48;

/** Opens the dialog; `onDecide(verdict, filter, digest, count)` hears what was chosen. */
export async function decideAll({ filters, colours, onDecide }) {
  const filter = Object.fromEntries(Object.entries(asked(filters)).filter(([, value]) => value !== null && value !== ""));
  const { order, seed, by, tau } = filters;
  const [set, page] = await Promise.all([getJSON("curate/batch", filter), getJSON("curate/queue", { ...filter, order, seed, by, tau, limit: SHOWN })]);
  const grid = el("div", { class: "cu-batch-grid", role: "list", tabindex: "0", "aria-label": "The masks of this set" });
  const more = el("button", { type: "button", class: "tm-button small", onclick: () => next() }, "Show more");
  const said = el("p", { class: "cu-keys-said bad", role: "alert", hidden: true });
  let shown = 0;
  const add = (rows) => {
    shown += rows.length;
    grid.append(...rows.map((row) => thumb(row, colours)));
    more.hidden = shown >= set.total || !rows.length;
    more.textContent = `Show more (${formatNumber(set.total - shown)})`;
  };
  async function next() {
    more.disabled = true;
    try {
      add((await getJSON("curate/queue", { ...filter, order, seed, by, tau, offset: shown, limit: SHOWN })).rows);
    } catch (error) {
      said.textContent = error.message;
      said.hidden = false;
    }
    more.disabled = false;
  }
  const choice = (verdict, word, kind) => {
    const count = set.total - set.verdicts[verdict];
    return el("button", { type: "button", class: `tm-button ${kind}`, disabled: !count, onclick: () => { dialog.close(); onDecide(verdict, filter, set.digest, count); } }, `${word} ${formatNumber(count)}`);
  };
  const others = Object.entries(set.verdicts).filter(([verdict, count]) => count && verdict !== "undecided");
  const dialog = el("dialog", { class: "tm cu-keys cu-batch", "aria-label": "Decide the whole set" },
    el("h2", {}, `${formatNumber(set.total)} ${set.total === 1 ? "mask" : "masks"} under these filters`),
    el("p", { class: "tm-muted" }, others.length
      ? `Of these ${others.map(([verdict, count]) => `${formatNumber(count)} ${count === 1 ? "is" : "are"} ${VERDICT[verdict]}`).join(", ")} already; who is accepted stays so where you accept, who is rejected where you reject.`
      : "None of them is decided yet.", " One undo takes the whole act back."),
    grid, said,
    el("div", { class: "cu-batch-foot" }, more, el("span", { class: "cu-gap" }),
      el("button", { type: "button", class: "tm-button", autofocus: true, onclick: () => dialog.close() }, "Cancel"), choice("reject", "Reject", "danger"), choice("accept", "Accept", "primary")));
  dialog.addEventListener("close", () => dialog.remove());
  add(page.rows);
  document.body.append(dialog);
  dialog.showModal();
}

function thumb(row, colours) {
  const canvas = el("canvas", { width: 144, height: 108 });
  paintThumb(canvas, row, colours).catch(() => { canvas.title = "This picture could not be loaded"; });
  return el("figure", { role: "listitem", title: `${row.image_name}: ${row.why}` }, canvas,
    el("figcaption", {}, el("span", {}, row.image_name), row.verdict === "undecided" ? null : el("span", { class: `cu-dot ${row.verdict}`, role: "img", "aria-label": VERDICT[row.verdict] })));
}
