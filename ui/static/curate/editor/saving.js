// Saving: the drawn mask to the server as a new version, and what may come back instead.
import { api, reviewer, session } from "../../ui.js";
import { newId, NOT_NOW } from "../outbox.js";
import { packed } from "./packing.js";

export class Saver {
  /** `fixed`: the newest drawn mask of the image that the reviewer knows of (a candidate's id), null for none. */
  constructor(row, mask, fixed) {
    Object.assign(this, { row, mask, fixed });
    this.act = null;
  }

  /**
   * Sends what is drawn now. One of: {answer} it is on the server's disk, {newer} (a row) somebody saved one meanwhile,
   * {lease} somebody else edits the image, {later} (a sentence) try again, {refused} (a sentence) it will not be taken.
   */
  async send() {
    const { version } = this.mask.history;
    // The same drawing sent twice is one act: a connection that broke after the server had it doubles nothing.
    if (this.act?.version !== version || this.act.fixed !== this.fixed) this.act = { version, fixed: this.fixed, id: newId(), time: Date.now() / 1000 };
    const body = {
      candidate: this.row.id, digest: this.row.digest, labels: await packed(this.mask.ids), fixed: this.fixed,
      reviewer: reviewer(), session: session(), action_id: this.act.id, client_time: this.act.time,
    };
    try {
      return { answer: await api("fix", body) };
    } catch (error) {
      if (error.body?.newer) return { newer: error.body.newer, words: error.message };
      if (error.body?.lease) return { lease: error.body.lease, words: error.message };
      const refused = error.status >= 400 && error.status < 500 && !NOT_NOW.includes(error.status);
      return refused ? { refused: error.message } : { later: error.message };
    }
  }
}
