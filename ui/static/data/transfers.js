// Imports and exports: how far each is, what it said, and stop, go on, download.
import { api, barred, el, formatNumber, getJSON, tabVisible, toast } from "../ui.js";
import { size } from "./archive.js";

const EVERY = 700;
const SAID = 8;
const RECENT = 1800;
const FORMATS = { voc: "Pascal VOC", coco: "COCO", "label-studio": "Label Studio", cvat: "CVAT", bundle: "Bundle" };

/** {element, load, setReadOnly}; calls done() when a transfer ends that was seen under way. */
export function transferBox(done) {
  const list = el("ul", { class: "da-transfers", "aria-label": "Imports and exports" });
  const element = el("section", { hidden: true, "aria-label": "Under way" }, el("h3", {}, "In and out"), list);
  const under = new Set();
  const open = new Set();
  let [timer, readOnly] = [null, false];

  async function load() {
    clearTimeout(timer);
    let rows;
    try {
      rows = (await getJSON("transfers")).transfers;
    } catch (error) {
      timer = setTimeout(load, 4 * EVERY);
      return;
    }
    const shown = rows.filter(worthShowing);
    element.hidden = !shown.length;
    list.replaceChildren(...shown.map(row));
    let ended = false;
    for (const each of rows) {
      if (each.state === "running") under.add(each.id);
      else if (under.delete(each.id)) ended = true;
    }
    if (ended) await done();
    if (under.size && tabVisible("data")) timer = setTimeout(load, EVERY);
  }

  async function act(path) {
    try {
      await api(path);
    } catch (error) {
      toast(error.message, "warn");
    }
    await load();
  }

  function row(each) {
    const why = barred("trainer");
    const button = (label, title, what) => el("button", { type: "button", class: "tm-button small", title: why || title, disabled: readOnly || why !== "", onclick: () => act(`transfers/${each.id}/${what}`) }, label);
    const buttons = {
      running: () => [button("Stop", "What came in so far stays", "cancel")],
      receiving: () => [button("Discard", "Take away what was sent so far", "cancel")],
      interrupted: () => [button("Go on", "Go on where it stopped", "resume"), button("Discard", "Give it up; what came in stays", "cancel")],
      failed: () => [button("Try again", "Go on where it stopped", "resume"), button("Discard", "Give it up; what came in stays", "cancel")],
      done: () => (each.file === null ? [] : [
        el("a", { class: "tm-button small", href: `/tagmask/api/transfers/${each.id}/file`, download: "" }, `Download, ${size(each.file)}`),
        button("Remove", "Take this zip off the disk; the snapshot stays", "remove")]),
    }[each.state]();
    const said = each.said.slice(0, SAID);
    return el("li", { class: `da-transfer ${each.state}`, dataset: { id: each.id, state: each.state } },
      el("div", { class: "da-line" },
        el("b", { class: "da-name", title: each.name }, each.kind === "export" ? `${FORMATS[each.format]} export` : each.name),
        el("span", { class: `tm-badge ${{ done: "good", failed: "bad", interrupted: "warn", receiving: "warn" }[each.state] ?? "info"}` }, badge(each))),
      each.state === "running" ? progress(each) : null,
      el("p", { class: "tm-faint" }, sentence(each)),
      said.length ? el("details", { open: each.state === "failed" || open.has(each.id), ontoggle: (event) => { if (event.target.open) open.add(each.id); else open.delete(each.id); } },
        el("summary", {}, said.length === 1 ? "1 remark" : `${said.length} remarks`), said.map((text) => el("p", {}, text))) : null,
      buttons.length ? el("div", { class: "da-buttons" }, buttons) : null);
  }

  return { element, load, setReadOnly(off) { readOnly = off; } };
}

// What ended well a while ago and left nothing to fetch is no news any more.
function worthShowing({ state, file, finished }) {
  return state !== "cancelled" && (state !== "done" || file !== null || Date.now() / 1000 - finished < RECENT);
}

function badge({ state, kind }) {
  return { running: kind === "import" ? "coming in" : "being written", receiving: "half sent", done: "done" }[state] ?? state;
}

function progress({ name, done, total, counts }) {
  const [value, max] = total ? [done, total] : [counts.unpacked ?? 0, counts.members ?? 0];
  return el("progress", { "aria-label": `${name}: progress`, ...(max ? { max, value } : {}) });
}

function sentence({ kind, state, done, total, counts, received, size: all }) {
  if (state === "receiving") return `${size(received)} of ${size(all)} are here. Choose the same file again to go on.`;
  if (state === "running" && !total) return counts.members ? `Unpacking ${formatNumber(counts.unpacked)} of ${formatNumber(counts.members)}` : "Beginning…";
  const came = `${formatNumber(done)} of ${formatNumber(total)} images`;
  if (state !== "done") return came;
  if (kind === "export") return `${formatNumber(total)} images`;
  const parts = [
    [counts.new, "new"], [counts.known, "here already"], [counts.candidates, "masks to review"],
    [counts.decisions, "decisions"], [(counts.refused ?? 0) + (counts.left_out ?? 0), "refused"],
  ].filter(([count]) => count).map(([count, what]) => `${formatNumber(count)} ${what}`);
  return parts.join(", ") || "Nothing was new.";
}
