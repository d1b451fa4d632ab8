// Which stages to ask the server for, and when: all for a new image, few and soon for a slider.
import { decode, frames } from "./frames.js";

// What takes longer than a frame or two waits until the slider rests.
const SLOW = new Set(["crf", "walk", "grabcut", "sal.score", "truth.error"]);
// What begins from the labels of the chosen fusion, or takes them where nothing refines.
const OF_FUSION = new Set(["crf", "grabcut", "sal.score", "truth.error"]);
const REST = 140;

export class Requests {
  /**
   * `stages()` is the server's table [{name, needs, reads}]; `body()` the request without `after`, `fusion()` the rule whose labels are refined.
   * `on` has begin(header), stage(header, values), done(header, whole), stale(stages), error(sentence, signal).
   */
  constructor({ stages, body, fusion, on }) {
    Object.assign(this, { stages, body, fusion, on });
    this.dirty = new Set();
    this.complete = false;
    this.run = null;
    this.live = null;
    this.following = false;
    this.liveWanted = false;
    this.moment = 0;
    this.quick = null;
  }

  /** All stages anew. */
  async whole() {
    this.complete = false;
    this.liveWanted = false;
    clearTimeout(this.resting);
    await this.#stream({}, "whole");
  }

  /**
   * Settings moved: quick stages follow at once, one request after the other; slow ones when the slider rests.
   * `quick` names the only stages that follow at once; with `hold` the rest waits until `settle`.
   */
  moved(names, { quick = null, hold = false } = {}) {
    this.moment = performance.now();
    for (const name of names) this.dirty.add(name);
    if (!this.complete) return void this.whole();
    this.quick = quick;
    const stale = this.staleAfter(this.dirty);
    const soon = this.#soon(stale);
    this.run?.abort();
    this.on.stale(stale.filter((stage) => !soon.includes(stage)));
    if (soon.length) this.#follow();
    clearTimeout(this.resting);
    if (!hold) this.resting = setTimeout(() => this.settle(), REST);
  }

  /** Asks for all that stands after what moved. */
  settle() {
    clearTimeout(this.resting);
    if (this.complete && this.dirty.size) this.#stream({ after: [...this.dirty] }, "settled");
  }

  /** Ends what is under way; nothing more is told. */
  stop() {
    clearTimeout(this.resting);
    this.liveWanted = false;
    this.complete = false;
    this.dirty.clear();
    this.run?.abort();
    this.live?.abort();
  }

  /** Does any stage of the table hang on this setting? */
  reads(name) {
    return this.stages().some(({ reads }) => reads.includes(name));
  }

  /** The stages that stand after these settings, as the server's own table has them. */
  staleAfter(names) {
    const stale = [];
    for (const { name, needs, reads } of this.stages()) {
      const before = OF_FUSION.has(name) ? [`fusion.${this.fusion()}`, ...needs] : needs;
      if (reads.some((setting) => names.has(setting)) || before.some((stage) => stale.includes(stage))) stale.push(name);
    }
    return stale;
  }

  #soon(stale) {
    return stale.filter((stage) => !SLOW.has(stage) && (!this.quick || this.quick.has(stage)));
  }

  async #follow() {
    this.liveWanted = true;
    if (this.following) return;
    this.following = true;
    while (this.liveWanted) {
      this.liveWanted = false;
      const only = this.#soon(this.staleAfter(this.dirty));
      if (only.length) await this.#stream({ after: [...this.dirty], only }, "live");
    }
    this.following = false;
  }

  /** One request. A whole one ends all before it, a settled one those that are not live. */
  async #stream(more, kind) {
    const controller = new AbortController();
    const { signal } = controller;
    if (kind === "live") this.live = controller;
    else {
      this.run?.abort();
      this.run = controller;
      if (kind === "whole") this.live?.abort();
    }
    const covered = new Set(this.dirty);
    const { moment } = this;
    try {
      for await (const { header, bytes } of frames({ ...this.body(), ...more }, { signal })) {
        if (signal.aborted) return;
        if (header.stage === "error") throw new Error(header.caption);
        if (header.stage === "start") this.on.begin(header);
        else if (header.stage === "done") this.on.done(header, kind === "whole");
        else {
          const values = await decode(header, bytes);
          if (signal.aborted) return;
          this.on.stage(header, values);
        }
      }
      if (kind === "whole") this.complete = true;
      if (kind !== "live" && this.moment === moment) for (const name of covered) this.dirty.delete(name);
    } catch (error) {
      if (error.name !== "AbortError" && !signal.aborted) this.on.error(error.message, signal);
    }
  }
}
