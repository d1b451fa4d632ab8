// The list of jobs, the newest first.
import { el } from "../ui.js";
import { share } from "./chain.js";
import { ACTIVE, chip, duration, figure, inFull, label, moment } from "./words.js";

// Measures by fewer letters than elsewhere.
const SHORT = { total: "loss", SF: "mean SF", SC: "mean SC" };

export class JobList {
  /** `onPick(id)` hears of a job that was chosen. */
  constructor(onPick) {
    this.onPick = onPick;
    this.jobs = [];
    this.chosen = null;
    this.body = el("tbody", {});
    this.node = el("div", { class: "tr-jobs", tabindex: "-1" },
      el("table", { class: "tm-table" },
        el("thead", {}, el("tr", {},
          ["State", "Job", "Images", "Progress", "Result", "Started", "Took"].map((name, index) =>
            el("th", { class: index > 3 ? "number" : null, scope: "col" }, name)))),
        this.body));
  }

  show(jobs, chosen, now) {
    this.jobs = jobs;
    this.chosen = chosen;
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.job : null;
    this.body.replaceChildren(...jobs.map((job) => this.#row(job, now)));
    if (focused) this.body.querySelector(`[data-job="${focused}"]`)?.focus();
  }

  #row(job, now) {
    const { step, steps, stage } = job.progress;
    const [name, value] = job.result;
    const part = job.recipe === "pipeline" ? share(job.progress) : steps ? Math.min(1, step / steps) : job.state === "done" ? 1 : 0;
    const end = job.finished_at ?? (ACTIVE.includes(job.state) ? now : null);
    const pick = () => this.onPick(job.id);
    return el("tr", {
      tabindex: 0, "aria-selected": String(job.id === this.chosen), dataset: { job: job.id }, onclick: pick,
      onkeydown: (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(); }
        const next = event.key === "ArrowDown" ? event.currentTarget.nextSibling : event.key === "ArrowUp" ? event.currentTarget.previousSibling : null;
        if (next) { event.preventDefault(); next.focus(); }
      },
    },
      el("td", {}, chip(job.state)),
      el("td", { class: "tr-name" }, el("b", {}, `${job.id}`), ` ${job.recipe}${job.method ? ` ${job.method}` : ""}`, job.preset ? el("span", { class: "tm-faint" }, ` ${job.preset}`) : null),
      el("td", { class: "tr-data tm-muted", title: job.data || "" }, job.data || "–"),
      el("td", { title: steps ? `${stage ? label(stage) : "Step"} ${step} of ${steps}` : null },
        el("div", { class: `tr-mini ${job.state}` }, el("i", { style: { width: `${(100 * (job.state === "done" ? 1 : part)).toFixed(1)}%` } }))),
      el("td", { class: "number", title: name ? `${label(name)}: ${value}` : "No number yet" }, name ? [el("span", { class: "tm-faint" }, `${SHORT[name] ?? label(name)} `), figure(value)] : "–"),
      el("td", { class: "number tm-muted", title: inFull(job.started_at ?? job.submitted_at) }, moment(job.started_at ?? job.submitted_at)),
      el("td", { class: "number tm-muted", title: "From its start to its end" }, job.started_at && end ? duration(end - job.started_at) : "–"));
  }
}
