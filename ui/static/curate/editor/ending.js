// How a drawing ends: saved as a new version, kept as a draft, or told that somebody else was there.
import { toast } from "../../ui.js";
import { fetchLabels } from "../../masks.js";
import { takeLease } from "../lease.js";
import { sideBySide } from "./notice.js";
import { Saver } from "./saving.js";

const RETRY_MS = [1000, 2000, 4000, 8000];

export class Ending {
  constructor(drawing, { lease, onLost, drafts }) {
    Object.assign(this, { drawing, lease, onLost, drafts, failures: 0 });
    const { row, mask, begun } = drawing;
    // A newer mask that was not looked at yet is none that the reviewer knows of.
    this.saver = new Saver(row, mask, begun.newer ? null : row.fixed_id);
    this.warn = (event) => { if (drawing.different && !drawing.draft.upToDate) event.preventDefault(); };
    window.addEventListener("beforeunload", this.warn);
  }

  async save() {
    const { drawing } = this;
    if (drawing.busy || drawing.pointer.stroke) return;
    if (drawing.snap.pending || drawing.polygon.pending) return toast("Something is pending: Enter keeps it, Esc drops it. Then save.");
    if (!drawing.different) return toast("Nothing differs from the mask that you opened, so there is no new version to save.");
    this.rest();
    drawing.busy = true;
    drawing.head.working(true);
    const came = await this.saver.send();
    drawing.busy = false;
    drawing.head.working(false);
    if (came.answer) return this.#saved(came.answer);
    if (came.newer) this.tellNewer(came.newer, came.words);
    else if (came.lease) this.lostLease(came.words);
    else if (came.refused) toast(`Not saved: ${came.refused}`, "bad");
    else this.#later(came.later);
  }

  /** Sends nothing by itself any more: something else was drawn, or it is being sent. */
  rest() {
    clearTimeout(this.retrying);
    this.drawing.notices.hide("later");
  }

  /** Shows a newer mask beside what is drawn here; which of the two goes on is the reviewer's to say. */
  tellNewer(newer, words) {
    const { image, mask, colours, notices } = this.drawing;
    notices.show("newer", words, [
      ["Go on from theirs", () => this.#goOnFrom(newer)],
      ["Follow it with mine", () => {
        this.saver.fixed = newer.id;
        toast("When you save, yours becomes the next version; theirs stays in the history.");
      }, true],
    ], sideBySide(image, mask, newer, colours));
  }

  /** Somebody took the image over, or holds it: what is drawn stays here until it is taken back. */
  lostLease(words) {
    this.drawing.notices.show("lease", words, [["Take it back", () => this.#takeBack(), true]]);
  }

  /** Closes without saving; what differs stays as a draft and is there again when the mask is opened. */
  async leave() {
    const { drawing } = this;
    if (drawing.busy) return;
    if (drawing.different) {
      await drawing.draft.keep();
      if (!drawing.draft.upToDate && !confirm("This browser could not keep a draft. Close all the same and lose what you drew?")) return;
      toast(`What you drew on ${drawing.row.image_name} is kept as a draft.`);
    } else {
      await drawing.draft.remove().catch(() => {});
    }
    this.#close(null);
  }

  async #saved(answer) {
    const { draft, row } = this.drawing;
    // A draft that stays behind is only offered once more; the mask itself is safe.
    await draft.remove().catch(() => {});
    toast(`Saved as a new version of ${row.image_name}.`, "good");
    this.#close(answer);
  }

  /** The server did not take it now: sent again by itself until it does, or until something else is drawn. */
  #later(words) {
    this.drawing.notices.show("later", `Not saved yet. ${words} What you drew is kept in this browser and is sent again.`, [["Try now", () => this.save()]]);
    this.retrying = setTimeout(() => this.save(), RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)]);
  }

  /** Theirs on the canvas, as a change: what was drawn here is one undo away. */
  async #goOnFrom(newer) {
    const { drawing } = this;
    try {
      const labels = await fetchLabels(newer.digest);
      Object.assign(this.saver, { fixed: newer.id, row: newer });
      drawing.base = labels.ids.slice();
      drawing.act(() => drawing.mask.lay({ left: 0, top: 0, width: labels.width, height: labels.height, ids: labels.ids }));
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  async #takeBack() {
    this.lease.release();
    try {
      const lease = await takeLease(this.drawing.row.image_id, { onLost: this.onLost });
      if (lease) this.lease = lease;
      else this.lostLease("Somebody else edits this image. What you drew is kept as a draft.");
    } catch (error) {
      this.lostLease(error.message);
    }
  }

  #close(answer) {
    const { drawing, drafts } = this;
    this.rest();
    window.removeEventListener("beforeunload", this.warn);
    drawing.draft.close();
    drafts?.close();
    this.lease.release();
    drawing.close();
    drawing.tab.closed(answer);
  }
}
