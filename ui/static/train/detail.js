// One job: how far it is, its curve, its numbers, its log, and what can be done with it.
import { api, el, formatNumber, reviewer, showTab, toast } from "../ui.js";
import { Calibration } from "./calibration.js";
import { Chain, facts, share } from "./chain.js";
import { Curves } from "./curve.js";
import { Evaluation } from "./evaluation.js";
import { Film } from "./film.js";
import { copyText } from "./form.js";
import { LogTail } from "./log.js";
import { Offers } from "./offers.js";
import { Plot } from "./plot.js";
import { ACTIVE, chip, duration, figure, inFull, label, moment, RESUMABLE } from "./words.js";

const SILENT = 30;
const LOWER_IS_BETTER = /loss|total|error|mae/;
const LOOK_NAMES = { map_miou: "map mIoU", validation_miou: "validation mIoU", training_miou: "mIoU on training images", validation_max_f: "max F", validation_s: "S" };
/** Recipes whose weights give no map of a tag: nothing to inspect or to make candidates with. */
const WITHOUT_MAPS = ["saliency", "segment", "dsrg", "pipeline", "sal", "scorer", "score", "suggest", "losses"];
const PIPELINE = "pipeline";
/** Recipes that go through images and learn nothing: no curve, no epochs, no film. */
const WITHOUT_STEPS = ["labels", "score", "suggest", "losses"];
/** Recipes whose networks have no maps to look at on the way. */
const WITHOUT_FILM = ["scorer", "affinity", "fuse"];
const OFFERS = ["labels", "fuse", PIPELINE];

export class Detail {
  /** `onChange(id)` hears that a job was cancelled, resumed or queued; `onOrder(recipe, options)` of one that the form is to hold; `barred` says why none can be, or nothing. */
  constructor({ onChange, onOrder, barred }) {
    this.onChange = onChange;
    this.barred = barred;
    this.log = new LogTail();
    this.title = el("div", { class: "tr-title" });
    this.actions = el("div", { class: "tr-actions" });
    this.notice = el("div", { class: "tr-notice", role: "status" });
    this.bar = el("div", { class: "tr-bar" }, el("i", {}));
    this.stats = el("dl", { class: "tr-stats" });
    this.plot = new Plot();
    this.film = new Film({ onStep: (step) => this.plot.mark(step), measured: (step) => this.#measured(step) });
    this.chain = new Chain();
    this.evaluation = new Evaluation(() => this.job && this.#actions());
    this.calibration = new Calibration();
    this.offers = new Offers({ evaluation: this.evaluation, onJob: (id) => this.onChange(id), onOrder, onBusy: () => this.job && this.#actions(), barred });
    this.numbers = el("div", { class: "tr-numbers" });
    this.told = el("ol", { class: "tr-told" });
    this.command = el("code", {});
    this.panes = el("div", { class: "tr-panes" },
      this.chain.node,
      this.plot.node,
      this.film.node,
      el("section", { class: "tr-side" }, this.numbers, el("div", {}, el("h3", {}, "What it said"), this.told)),
      this.log.node);
    this.node = el("article", { class: "tr-detail" },
      el("header", { class: "tr-head" }, this.title, this.actions),
      this.notice, this.bar, this.stats,
      this.calibration.node, this.panes, this.evaluation.node,
      el("details", { class: "tr-ran" }, el("summary", {}, "Command line"),
        el("div", {}, this.command, el("button", { type: "button", class: "tm-button quiet small", title: "Copy the command line", onclick: () => copyText(this.command.textContent) }, "Copy"))));
    this.pick(null);
  }

  /** Turns to another job; everything known of the last one is forgotten. */
  pick(id) {
    this.id = id;
    this.after = -1;
    this.job = null;
    this.news = null;
    this.curves = new Curves();
    this.messages = [];
    this.attempt = null;
    this.busy = null;
    this.log.clear();
    this.film.pick(id);
    this.chain.pick();
    this.evaluation.pick();
    this.calibration.pick();
    this.drawn = false;
    this.node.hidden = true;
  }

  /** Takes the job's row and what the server sent as new of it. */
  add(job, news, now) {
    const sameStep = news.points.length === 0 && news.told.length === 0;
    this.job = job;
    this.news = news;
    this.after = news.after;
    if (this.busy && this.busy !== job.state) this.busy = null;
    this.curves.add(news);
    this.chain.add(news.told);
    for (const event of news.told) {
      if (event.kind === "attempt") this.attempt = event;
      const text = sentence(event);
      if (text) this.messages.push({ time: event.time, text, kind: event.kind });
    }
    this.messages = this.messages.slice(-200);
    this.node.hidden = false;
    this.log.add(news.log);
    this.#head(now);
    if (!sameStep || !this.drawn) this.#tell();
    this.drawn = true;
    this.film.add(news.film, job.state);
    this.evaluation.show(job);
    this.calibration.show(job);
  }

  /** What a look found at a step, for the frame that it made. */
  #measured(step) {
    const found = this.curves.looks().map(({ name, points }) => [name, points.find((point) => point.x === step)]).filter(([, point]) => point);
    return found.map(([name, { y }]) => `${LOOK_NAMES[name] ?? "validation"} ${formatNumber(y, 1)}%`).join(" · ");
  }

  #head(now) {
    const { job, news } = this;
    this.title.replaceChildren(
      el("h2", {}, `${job.id} ${job.recipe}${job.method ? ` ${job.method}` : ""}`, job.preset ? el("span", {}, ` ${job.preset}`) : null), chip(job.state),
      el("p", { class: "tm-muted" }, [
        el("span", { title: inFull(job.submitted_at) }, `queued ${moment(job.submitted_at)} by ${job.by}`),
        job.data ? ` · ${job.data}` : "", job.attempts > 1 ? ` · attempt ${job.attempts}` : ""]));
    this.#actions();
    const silent = job.state === "running" && news.silent_for > SILENT;
    const said = job.error ?? (silent ? `The trainer has shown no sign of life for ${duration(news.silent_for)}. Wait, or cancel and resume it.` : job.state === "stopping" ? "Stopping: the trainer finishes its step and saves." : "");
    this.notice.hidden = !said;
    this.notice.className = `tr-notice ${job.state === "failed" || job.state === "lost" ? "bad" : silent || job.state === "stopping" ? "warn" : ""}`;
    if (this.notice.textContent !== said) this.notice.textContent = said;
    this.#facts(now);
  }

  #facts(now) {
    const { job } = this;
    const { stage, step, steps, epoch, epochs, seconds_left: left, images_per_second: speed } = job.progress;
    const isPipeline = job.recipe === PIPELINE;
    const part = job.state === "done" ? 1 : isPipeline ? share(job.progress) : steps ? step / steps : 0;
    this.bar.className = `tr-bar ${job.state}`;
    this.bar.firstElementChild.style.width = `${(100 * part).toFixed(2)}%`;
    const running = job.state === "running" || job.state === "stopping";
    const took = job.started_at ? duration((job.finished_at ?? now) - job.started_at) : "–";
    if (isPipeline) this.chain.show(job);
    this.panes.classList.toggle("chained", isPipeline);
    this.panes.classList.toggle("plain", isPipeline || (WITHOUT_STEPS.includes(job.recipe) && !this.curves.names().length));
    this.panes.classList.toggle("unfilmed", WITHOUT_FILM.includes(job.recipe));
    if (isPipeline) return this.#state(facts(job, this.chain, took));
    const last = (name) => this.curves.of(name).points.at(-1)?.y;
    const count = steps ? `${formatNumber(step)} / ${formatNumber(steps)}` : "–";
    const shown = [job.state === "done"
      ? [this.curves.lastStep ? "Steps" : label(stage ?? "steps"), formatNumber(this.curves.lastStep || steps), "All of them done"]
      : [stage ? label(stage) : "Step", count, stage ? "Images done and to do" : "Optimiser steps done and planned"]];
    if (!WITHOUT_STEPS.includes(job.recipe)) {
      const passes = this.curves.of("total").marks.at(-1)?.epoch;
      shown.push(["Epoch", epochs ? `${formatNumber(epoch)} / ${formatNumber(epochs)}` : passes ? formatNumber(passes) : "–", "Passes over the images"]);
    }
    shown.push(running && left !== undefined ? ["Time left", duration(left), "As the trainer reckons from its speed so far"] : [running ? "So far" : "Took", took, "From its last start to its end, or to now"]);
    if (!WITHOUT_STEPS.includes(job.recipe)) {
      shown.push(
        ["Images/s", figure(speed ?? last("images_per_second")), "Images through the network a second"],
        ["Learning rate", figure(last("learning_rate")), "Of the last step"],
        ["Loss", figure(last("total")), "Of the last step that was told"]);
    }
    this.#state(shown);
  }

  #state(facts) {
    this.stats.replaceChildren(...facts.map(([name, value, title]) => el("div", { title }, el("dt", {}, name), el("dd", {}, value))));
  }

  #tell() {
    const waits = { queued: "Waits for its turn.", running: "The trainer is starting.", stopping: "Stopping." };
    this.plot.show(this.curves, waits[this.job.state] ?? "It ended before its first step.");
    this.#numbers();
    this.told.replaceChildren(...this.messages.toReversed().map(({ time, text, kind }) =>
      el("li", { class: kind }, el("time", { title: inFull(time) }, moment(time)), text)));
    this.command.textContent = this.attempt?.command ?? "It has not been started yet.";
  }

  #numbers() {
    const metrics = this.news.run?.metrics ?? {};
    const rows = Object.entries(metrics).filter(([, value]) => Number.isFinite(value));
    const means = this.curves.names().map((name) => [name, this.curves.of(name).marks]).filter(([, marks]) => marks.length);
    const parts = [];
    if (rows.length) {
      parts.push(el("h3", {}, "Result"), el("table", { class: "tm-table tr-figures" }, el("tbody", {}, rows.map(([name, value]) =>
        el("tr", { title: `${name}: ${value}` }, el("th", { scope: "row" }, label(name)), el("td", { class: "number" }, figure(value)))))));
    }
    const looks = this.curves.looks();
    if (looks.length) {
      parts.push(el("h3", { title: "Measured on the way, on images that teach nothing (accuracy) or whose masks teach nothing (mIoU)" }, "Looks on the way"), el("table", { class: "tm-table tr-figures" },
        el("thead", {}, el("tr", {}, el("th", {}, ""), el("th", { class: "number", scope: "col" }, "last"), el("th", { class: "number", scope: "col" }, "best"))),
        el("tbody", {}, looks.map(({ name, points }) => {
          const best = points.reduce((one, other) => (other.y > one.y ? other : one));
          return el("tr", { title: about(name, points.at(-1)) }, el("th", { scope: "row" }, label(name)),
            ...[points.at(-1), best].map((point) => el("td", { class: "number", title: `After step ${formatNumber(point.x)}` }, `${figure(point.y)}%`)));
        }))));
    }
    if (means.length) {
      parts.push(el("h3", {}, "Epochs"), el("table", { class: "tm-table tr-figures" },
        el("thead", {}, el("tr", {}, el("th", {}, ""), el("th", { class: "number", scope: "col" }, "last"), el("th", { class: "number", scope: "col" }, "best"))),
        el("tbody", {}, means.map(([name, marks]) => {
          const lower = LOWER_IS_BETTER.test(name) || this.curves.parts.has(name);
          const best = marks.reduce((one, other) => ((lower ? other.y < one.y : other.y > one.y) ? other : one));
          return el("tr", {}, el("th", { scope: "row" }, label(name)),
            el("td", { class: "number", title: `After epoch ${marks.at(-1).epoch ?? "–"}: ${marks.at(-1).y}` }, figure(marks.at(-1).y)),
            el("td", { class: "number", title: `After epoch ${best.epoch ?? "–"}: ${best.y}` }, figure(best.y)));
        }))));
    }
    this.numbers.replaceChildren(...parts);
    this.numbers.hidden = !parts.length;
  }

  #actions() {
    const { job, news, barred, busy } = this;
    const button = (kind, text, title, act) => el("button", { type: "button", class: `tm-button ${kind}`, title: barred || title, disabled: Boolean(barred) || busy !== null, onclick: act }, text);
    const made = [];
    if (job.state === "queued" || job.state === "running") {
      made.push(button("danger tr-cancel", "Cancel", "Let it finish its step and save, then stop", () => this.#ask("cancel")));
    } else if (job.state === "stopping") {
      made.push(el("button", { type: "button", class: "tm-button tr-cancel", disabled: true }, "Stopping…"));
    } else if (RESUMABLE.includes(job.state)) {
      made.push(news.checkpoint
        ? button("primary tr-resume", "Resume", "Go on from the last checkpoint", () => this.#ask("resume"))
        : button("tr-resume", "Start again", "It saved no checkpoint: the same command from the beginning", () => this.#ask("resume")));
    }
    if (news.run?.weights && !WITHOUT_MAPS.includes(job.recipe)) {
      made.push(
        button("tr-candidates", "Make candidates with these weights", "Queue a run that makes masks of all tagged images for review", () => this.#candidates()),
        el("button", { type: "button", class: "tm-button primary tr-inspect", title: "See what these weights look at, in the Inspect tab", onclick: () => this.#inspect() }, "Inspect with these weights"));
    } else if (job.state === "done" && OFFERS.includes(job.recipe)) {
      made.push(el("button", { type: "button", class: "tm-button primary tr-review", onclick: () => showTab("curate") }, "Review the candidates"));
    }
    made.push(...this.offers.buttons(job, news.run));
    if (news.run?.id && job.state === "done") made.push(el("a", { class: "tm-button tr-report", download: "", href: `/tagmask/api/report/${news.run.id}.html`, title: "One HTML file about this run that opens offline" }, "Report"));
    const now = made.map((each) => `${each.textContent}${each.disabled}${each.title}`).join();
    if (this.actions.dataset.now === now && this.actions.dataset.job === String(job.id)) return;
    Object.assign(this.actions.dataset, { now, job: job.id });
    this.actions.replaceChildren(...made);
  }

  async #ask(what) {
    this.busy = this.job.state;
    this.#actions();
    try {
      await api(`train/${what}`, { job: this.id });
    } catch (error) {
      toast(error.message, "bad");
      this.busy = null;
    }
    this.onChange(this.id);
  }

  async #candidates() {
    try {
      const { job } = await api("train/submit", { recipe: "labels", data: "tagged", options: { weights: this.news.run.weights }, reviewer: reviewer(), key: `labels-of-job-${this.id}-${Date.now() >> 12}` });
      toast(`Queued as job ${job}.`, "good");
      this.onChange(job);
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  #inspect() {
    const weights = this.news.run.weights;
    showTab("inspect");
    window.dispatchEvent(new CustomEvent("tagmask:weights", { detail: { id: weights } }));
  }
}

/** Over what a look measured. */
function about(name, { images, threshold, over }) {
  if (name === "validation_miou") return `Over ${images} held-out images that have a true mask`;
  if (name === "training_miou") return `Over ${images} training images that have a true mask; none with one is held out`;
  if (name === "validation_max_f" || name === "validation_s") return `Over ${images} held-out images`;
  return name === "map_miou"
    ? `Over ${over} training images that have a true mask, at their best threshold, ${figure(threshold)}`
    : `The part of tags decided rightly in ${images} images that are not trained on`;
}

/** What an event says to a person; null for those that only carry numbers. */
function sentence(event) {
  switch (event.kind) {
    case "attempt": return event.number > 1 ? `Started again (attempt ${event.number}).` : "Started.";
    case "message": return event.text;
    case "stopping": return event.text;
    case "finished": return "Finished.";
    case "failed": return event.error;
    case "cancelled": return "Saved and stopped.";
    default: return null;
  }
}

export const active = (job) => ACTIVE.includes(job.state);
