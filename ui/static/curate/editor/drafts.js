// Drafts: what is drawn and not yet saved, kept in this browser so that closing the tab loses nothing.
import { el, getJSON, reviewer, toast } from "../../ui.js";
import { deflated, inflated } from "./packing.js";

const STORE = "drafts";

/** The database of this workspace's drafts, or null where this browser keeps none. */
export function openDrafts() {
  return new Promise((done) => {
    let request;
    try {
      request = indexedDB.open(`tagmask.drafts.${document.querySelector("#tm-header")?.dataset.id ?? ""}`, 1);
    } catch {
      return done(null);
    }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
    request.onsuccess = () => done(request.result);
    request.onerror = request.onblocked = () => done(null);
  });
}

/** The draft of one mask by whoever is here: written again after every change, newest version only. */
export class Draft {
  /** `onKept(when, problem)` hears of every version that is on disk, or why it is not. */
  constructor(database, row, mask, onKept) {
    Object.assign(this, { database, row, mask, onKept });
    this.key = `${reviewer()}/${row.id}`;
    this.kept = this.put = 0;
    this.writing = null;
    this.closed = false;
    // A page that goes away gets no time to deflate; as they are, the ids are handed over at once.
    this.leave = () => { if (document.hidden || this.closing) this.#put(this.mask.ids.slice(), false); };
    this.hide = () => { this.closing = true; this.leave(); };
    document.addEventListener("visibilitychange", this.leave);
    window.addEventListener("pagehide", this.hide);
  }

  /** Whether what is drawn now is kept. */
  get upToDate() {
    return this.kept === this.mask.history.version;
  }

  /** What was kept of this mask: {ids, saved}, or null. */
  async read() {
    const found = await run(this.database, "readonly", (store) => store.get(this.key));
    if (!found || found.digest !== this.row.digest) return null;
    const ids = found.deflated ? await inflated(found.labels) : found.labels;
    return ids.length === this.mask.ids.length ? { ids, saved: found.saved } : null;
  }

  /** Keeps what is drawn now; one write at a time, the last state always gets its turn. */
  keep() {
    this.writing ??= this.#write().finally(() => { this.writing = null; });
    return this.writing;
  }

  /** Removes it and keeps no more: it is saved, or was given up. */
  async remove() {
    this.closed = true;
    await this.writing;
    await run(this.database, "readwrite", (store) => store.delete(this.key));
  }

  close() {
    document.removeEventListener("visibilitychange", this.leave);
    window.removeEventListener("pagehide", this.hide);
  }

  async #write() {
    while (!this.closed && !this.upToDate) {
      const { version } = this.mask.history;
      const done = await this.#put(await deflated(this.mask.ids), true, version);
      if (!done) return;
    }
  }

  async #put(labels, isDeflated, version = this.mask.history.version) {
    // What was never drawn on, or is kept already, is no draft.
    if (this.closed || version <= this.put) return true;
    this.put = version;
    const { id, digest, image_name } = this.row;
    const record = { key: this.key, reviewer: reviewer(), candidate: id, digest, name: image_name, saved: Date.now(), deflated: isDeflated, labels };
    try {
      await run(this.database, "readwrite", (store) => store.put(record));
    } catch (error) {
      this.put = this.kept;
      this.onKept(null, `This browser could not keep a draft (${error.message || error.name}). Save before you close the page.`);
      return false;
    }
    this.kept = Math.max(this.kept, version);
    this.onKept(record.saved, null);
    return true;
  }
}

/** Offers what this reviewer drew in an earlier visit and did not save. */
export async function offerDrafts(tab) {
  const database = await openDrafts();
  if (!database) return;
  const left = (await run(database, "readonly", (store) => store.getAll())).filter((each) => each.reviewer === reviewer());
  database.close();
  if (!left.length || tab.readOnly) return;
  left.sort((a, b) => b.saved - a.saved);
  const note = toast(left.length === 1 ? "A drawing was not saved when the page was closed. It is kept as a draft." : `${left.length} drawings were not saved when the page was closed. They are kept as drafts.`, "bad");
  note.className = "tm-toast warn ed-offer";
  note.querySelector("p").append(el("span", { style: { display: "grid", gap: "6px", justifyItems: "start", marginTop: "8px" } }, left.slice(0, 5).map((draft) =>
    el("button", { type: "button", class: "tm-button small", onclick: () => { note.remove(); reopen(tab, draft); } }, `Go on with ${draft.name}, ${when(draft.saved)}`))));
}

async function reopen(tab, draft) {
  try {
    const { row } = await getJSON(`fix/${draft.candidate}`);
    tab.queue.open(row);
    await tab.edit();
  } catch (error) {
    toast(error.message, "bad");
  }
}

/** 14:02 today, else with its day. */
export function when(time) {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString("en-GB", today ? { timeStyle: "short" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

function run(database, mode, act) {
  if (!database) return mode === "readonly" ? Promise.resolve(undefined) : Promise.reject(new Error("it has no storage for it"));
  return new Promise((done, fail) => {
    const transaction = database.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => done(request.result);
    transaction.onerror = transaction.onabort = () => fail(transaction.error ?? new Error("its storage failed"));
  });
}
