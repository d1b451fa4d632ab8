// What a finished run that made label maps offers: score them, put them up for review, compare the run.
import { api, el, reviewer, showTab, toast } from "../ui.js";

const AFTER = ["sal", "segment", "dsrg", "labels", "fuse", "pipeline"];
// The masks of these are up for review as soon as they end.
const OFFERED_ALREADY = ["labels", "fuse", "pipeline"];

export class Offers {
  /** `onJob(id)` hears of a job that was queued; `onBusy()` that the buttons are to be made anew. */
  constructor({ evaluation, onJob, onBusy, readOnly }) {
    Object.assign(this, { evaluation, onJob, onBusy, readOnly });
    // By the ids of their jobs: an answer may come when another job is in view.
    this.offered = new Set();
    this.waits = new Set();
  }

  /** The buttons for a job and its run; none where it made no label maps. */
  buttons(job, run) {
    if (job.state !== "done" || !run?.labels || !AFTER.includes(job.recipe)) return [];
    const button = (kind, text, title, act, off = false) => el("button", { type: "button", class: `tm-button ${kind}`, title, disabled: off || this.waits.has(job.id), onclick: act }, text);
    const up = OFFERED_ALREADY.includes(job.recipe);
    return [
      button("tr-score", up ? "Score" : "Score again", "Queue a run of the recipe “Mask scores” over the masks that this run made, scored as the last ones were", () => this.#score(job), this.readOnly),
      up ? null : this.offered.has(job.id)
        ? button("tr-review", "Review the candidates", "Open Curate", () => showTab("curate"))
        : button("tr-offer", "New candidates", "Put the masks that this run made up for review, beside the old ones", () => this.#offer(job), this.readOnly),
      up ? null : button("tr-compare", "Compare runs", this.evaluation.comparable ? "What this run measured, against another one" : "No other run was measured on the same kind of result, so there is nothing to compare", () => this.evaluation.compare(), !this.evaluation.comparable),
    ].filter(Boolean);
  }

  async #score(job) {
    await this.#ask(job, async () => {
      const answer = await api("train/score", { job: job.id, reviewer: reviewer() });
      toast(`Queued as job ${answer.job}.`, "good");
      this.onJob(answer.job);
    });
  }

  async #offer(job) {
    await this.#ask(job, async () => {
      const { said } = await api("train/offer", { job: job.id });
      this.offered.add(job.id);
      toast(said.join(" "), "good");
    });
  }

  async #ask(job, act) {
    this.waits.add(job.id);
    this.onBusy();
    try {
      await act();
    } catch (error) {
      toast(error.message, "bad");
    }
    this.waits.delete(job.id);
    this.onBusy();
  }
}
