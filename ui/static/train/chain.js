// The stages of a pipeline, one below the other, each with its state, live.
import { el, formatNumber } from "../ui.js";
import { duration, figure, inFull, label, moment } from "./words.js";

const STATES = {
  waiting: ["waiting", "", "Its turn comes when the stages above it are done"],
  running: ["running", "info", "At work"],
  done: ["done", "good", "Made by this job"],
  reused: ["reused", "good", "Made before: nothing that goes into it has changed"],
  failed: ["failed", "bad", "Ended with an error"],
};
/** What a stage is known by: its first figure of these. */
const FIGURES = ["labels_miou", "miou", "label_miou", "cam_miou", "tag_accuracy", "pixel_accuracy", "loss"];
const PERCENT = ["miou", "labels_miou", "label_miou", "cam_miou"];
/** Shares of one, as short as the column asks. */
const SHARES = { tag_accuracy: "tags right", pixel_accuracy: "pixels right" };

const DONE = ["done", "reused"];

export class Chain {
  constructor() {
    this.list = el("ol", { class: "tr-stages" });
    this.empty = el("p", { class: "tr-stages-empty" }, "The stages are listed once the trainer has looked at the images.");
    this.node = el("section", { class: "tr-chain", "aria-label": "Stages of the pipeline" }, el("header", {}, el("h3", {}, "Stages")), this.empty, this.list);
    this.pick();
  }

  /** Forgets the last job's. */
  pick() {
    this.rows = [];
    this.list.replaceChildren();
    this.empty.hidden = false;
  }

  /** Takes the events; the last chain among them is how it stands. */
  add(told) {
    this.rows = told.findLast((event) => event.kind === "chain")?.stages ?? this.rows;
  }

  /** Draws the rows; the job's progress is that of the stage at work. */
  show(job) {
    this.empty.hidden = this.rows.length > 0;
    this.list.replaceChildren(...this.rows.map((row, at) => this.#row(row, at, job)));
  }

  /** How many stages are done, and which is at work: {done, of, active}. */
  get position() {
    const done = this.rows.filter(({ state }) => DONE.includes(state)).length;
    return { done, of: this.rows.length, active: this.rows.find(({ state }) => state === "running") };
  }

  #row(row, at, job) {
    const active = job.state === "running" || job.state === "stopping";
    // A job that was stopped or died left its stage in the middle of its work.
    const state = row.state === "running" && !active ? (job.state === "queued" ? "waiting" : "stopped") : row.state;
    const [word, kind, title] = STATES[state] ?? ["stopped", "", "Stopped on its way; Resume goes on from there"];
    const { step, steps, stage, part, seconds_left: left } = job.progress;
    const here = state === "running" && stage === row.name && steps;
    const share = state === "done" || state === "reused" ? 1 : here ? step / steps : 0;
    return el("li", { class: `tr-stage ${state}`, dataset: { stage: row.name, state } },
      el("span", { class: "tr-stage-number", "aria-hidden": "true" }, `${at + 1}`),
      el("div", { class: "tr-stage-what" },
        el("b", {}, row.title),
        el("span", { class: "tm-muted", title: row.error ?? row.why }, row.error?.replace(`${row.title}: `, "") ?? this.#said(row, state, here && { step, steps, part, left }))),
      el("div", { class: `tr-mini ${state === "reused" ? "done" : state}` }, el("i", { style: { width: `${(100 * share).toFixed(1)}%` } })),
      el("span", { class: "tr-stage-figure number", title: figures(row) }, ...known(row)),
      el("span", { class: "tr-stage-took number tm-muted", title: row.finished ? `Made ${inFull(row.finished)}` : null }, row.seconds ? duration(row.seconds) : "–"),
      el("span", { class: `tm-badge tr-state ${kind}`, title }, word));
  }

  #said(row, state, at) {
    if (at) {
      const what = at.part ? `${label(at.part)} ` : "";
      return `${what}${formatNumber(at.step)} / ${formatNumber(at.steps)}${at.left === undefined ? "" : ` · ${duration(at.left)} left`}`;
    }
    if (state === "running") return "Starting";
    if (state === "reused") return `Made ${moment(row.finished)}`;
    if (state === "done") return `Done ${moment(row.finished)}`;
    // A name of an option stays as one writes it.
    return row.why.includes("→") ? row.why : row.why.charAt(0).toUpperCase() + row.why.slice(1);
  }
}

/** The facts above the stages: which stage, how far it is, the time. */
export function facts(job, chain, took) {
  const { done, of, active } = chain.position;
  // What was told last may be of the stage before, or of reading the images.
  const isOfIt = !active || job.progress.stage === active.name;
  const { step, steps, seconds_left: left, loss, images_per_second: speed } = isOfIt ? job.progress : {};
  const running = job.state === "running" || job.state === "stopping";
  const made = [["Stages", of ? `${done} / ${of}` : "–", "Done, and in all"]];
  if (running) {
    made.push(
      ["At work", active?.title.replace(/ \(.*\)$/, "") ?? (steps ? "Reading the images" : "–"), active?.title ?? "The stage that is made now"],
      ["Its steps", steps ? `${formatNumber(step)} / ${formatNumber(steps)}` : "–", "Steps or images of this part of the stage"],
      ["Left of it", left === undefined ? "–" : duration(left), "Of this part of the stage, by its speed so far"],
      ["Images/s", figure(speed), "Of this stage"],
      ["Loss", figure(loss), "Of the last step that was told"]);
  }
  made.push([running ? "So far" : "Took", took, "From its last start to its end, or to now"]);
  if (!running) {
    const ended = chain.rows.filter(({ state }) => DONE.includes(state));
    const labels = ended.find((row) => Number.isFinite(row.figures.labels_miou))?.figures.labels_miou;
    const predictions = ended.find(({ name }) => name === "predictions")?.figures.miou;
    if (Number.isFinite(labels)) made.push(["Proxy labels", percent(labels), "mIoU of the labels that the segmenter learnt from, where true masks are known"]);
    if (Number.isFinite(predictions)) made.push(["Predictions", percent(predictions), "mIoU of the segmenter's labels of the test list, where true masks are known"]);
  }
  return made;
}

/** The part of a pipeline that is done: whole stages, and of the one at work what it told last. */
export function share({ done, of, step, steps }) {
  return of ? Math.min(1, (done + (steps ? step / steps : 0)) / of) : 0;
}

function known(row) {
  const name = FIGURES.find((each) => Number.isFinite(row.figures?.[each]));
  if (!name) return [];
  const value = row.figures[name];
  const called = SHARES[name] ?? label(name.replace(/^(labels?|cam)_/, ""));
  const shown = PERCENT.includes(name) ? percent(value) : name in SHARES ? percent(100 * value) : figure(value);
  return [el("span", { class: "tm-faint" }, `${called} `), shown];
}

function percent(value) {
  return `${formatNumber(value, 1)}%`;
}

function figures(row) {
  const all = Object.entries(row.figures ?? {}).filter(([, value]) => Number.isFinite(value));
  return all.length ? all.map(([name, value]) => `${label(name)}: ${figure(value)}`).join("\n") : "Nothing measured";
}
