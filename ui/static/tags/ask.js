// Asking a trained classifier to look at every image: which one, and how far it is.
import { api, el, formatNumber, getJSON, reviewer, toast } from "../ui.js";

const EVERY_MS = 1500;
const AT_WORK = ["queued", "running", "stopping"];

export class Asking {
  /** `rail` shows the progress; `onDone()` hears that new suggestions are here. */
  constructor({ rail, onDone }) {
    Object.assign(this, { rail, onDone, job: null });
  }

  /** Asks which classifier is to look. */
  open(classifiers) {
    const choice = el("select", { class: "tm-select", "aria-label": "Classifier" }, classifiers.map((one) => el("option", { value: one.id }, one.title)));
    const dialog = el("dialog", { class: "tm ta-dialog", "aria-label": "Ask the classifier" },
      el("h2", {}, "Ask the classifier"),
      el("p", {}, "It looks at every image and says how sure it is of each class it knows. No tag changes: the lists Suggested and Doubted show what it says, and you decide."),
      choice,
      el("form", { method: "dialog", class: "ta-dialog-acts" },
        el("button", { class: "tm-button", value: "" }, "Cancel"),
        el("button", { class: "tm-button primary", value: "go" }, "Look at all images")));
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (dialog.returnValue === "go") this.#submit(choice.value);
    });
    document.body.append(dialog);
    dialog.showModal();
  }

  async #submit(weights) {
    try {
      const { job } = await api("train/submit", { recipe: "suggest", data: "every", options: { weights }, reviewer: reviewer(), key: crypto.randomUUID?.() ?? String(Math.random()) });
      this.follow(job);
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  /** Watches a job that is at work, also one that was asked for before this page was opened; null: there is none. */
  follow(job) {
    if (job === null || this.job !== null) return;
    this.job = job;
    this.#watch(job);
  }

  async #watch(mine) {
    const { progress } = this.rail;
    progress.hidden = false;
    progress.textContent = "Waiting for its turn…";
    while (this.job === mine) {
      try {
        const { job, jobs } = await getJSON("train/jobs", { job: this.job });
        const row = jobs?.find((one) => one.id === this.job);
        const state = row?.state ?? job?.state;
        const { step, steps } = row?.progress ?? job?.progress ?? {};
        if (steps) progress.textContent = `Looking at the images: ${formatNumber(step)} of ${formatNumber(steps)}`;
        if (state && !AT_WORK.includes(state)) {
          this.job = null;
          progress.hidden = true;
          if (state === "done") this.onDone();
          else toast(`The classifier did not come to its end: ${row?.error ?? state}. The Train tab says more.`, "bad");
        }
      } catch (error) {
        progress.textContent = error.message;
      }
      await new Promise((wake) => setTimeout(wake, EVERY_MS));
    }
  }
}
