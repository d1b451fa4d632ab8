// What a finished run offers: label maps to score, to review and to compare, a scorer to score with, scores to review and to train by.
import { api, el, reviewer, showTab, toast } from "../ui.js";

const [SCORER, SCORE, SAL] = ["scorer", "score", "sal"];
const AFTER = ["sal", "segment", "dsrg", "labels", "fuse", "pipeline"];
// The masks of these are up for review as soon as they end.
const OFFERED_ALREADY = ["labels", "fuse", "pipeline"];

export class Offers {
  /** `onJob(id)` hears of a job that was queued; `onOrder(recipe, options)` of one for a person to start; `onBusy()` that the buttons are to be made anew. */
  constructor({ evaluation, onJob, onOrder, onBusy, barred }) {
    Object.assign(this, { evaluation, onJob, onOrder, onBusy, barred });
    // By the ids of their jobs: an answer may come when another job is in view.
    this.offered = new Set();
    this.waits = new Set();
  }

  /** The buttons for a job and its run; none where it made neither label maps nor scores nor a scorer. */
  buttons(job, run) {
    if (job.state !== "done" || !run) return [];
    if ([SCORER, SCORE].includes(job.recipe)) return this.#scoring(job, run);
    if (!run.labels || !AFTER.includes(job.recipe)) return [];
    const button = (kind, text, title, act, why = "", off = false) => el("button", { type: "button", class: `tm-button ${kind}`, title: why || title, disabled: Boolean(why) || off || this.waits.has(job.id), onclick: act }, text);
    const up = OFFERED_ALREADY.includes(job.recipe);
    return [
      button("tr-score", up ? "Score" : "Score again", "Queue a run of the recipe “Mask scores” over the masks that this run made, scored as the last ones were", () => this.#score(job), this.barred),
      up ? null : this.offered.has(job.id)
        ? button("tr-review", "Review the candidates", "Open Curate", () => showTab("curate"))
        : button("tr-offer", "New candidates", "Put the masks that this run made up for review, beside the old ones", () => this.#offer(job), this.barred),
      up ? null : button("tr-compare", "Compare runs", this.evaluation.comparable ? "What this run measured, against another one" : !this.evaluation.read ? "Looking for other runs that were measured" : "No other run was measured on the same kind of result, so there is nothing to compare", () => this.evaluation.compare(), "", !this.evaluation.comparable),
    ].filter(Boolean);
  }

  /** What a scorer is for, and what its scores are. */
  #scoring(job, run) {
    const button = (kind, text, title, act) => el("button", { type: "button", class: `tm-button ${kind}`, title: this.barred || title, disabled: Boolean(this.barred), onclick: act }, text);
    if (job.recipe === SCORER) {
      return run.weights ? [button("primary tr-score-with", "Score masks with this", "Fill the form in for the recipe “Mask scores” with this scorer", () => this.onOrder(SCORE, { scorer: run.weights }))] : [];
    }
    return [
      button("tr-train-on", "Train on these", "Fill the form in for a segmenter that learns from the masks that were scored, by these scores", () => this.onOrder(SAL, { scores: `run:${run.id}` })),
      el("button", { type: "button", class: "tm-button primary tr-review", title: "Open Curate, with these scores", onclick: () => showTab("curate") }, "Review in Curate"),
    ];
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
