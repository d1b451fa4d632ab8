// The Train tab: a form, the jobs, and one job in view; all of it polled from the store.
import { barred, el, getJSON, onTabVisible, tabVisible } from "./ui.js";
import { active, Detail } from "./train/detail.js";
import { Form } from "./train/form.js";
import { JobList } from "./train/jobs.js";

const EVERY = 1000;
const AT_REST = 3000;

export async function mount(root) {
  const style = el("link", { rel: "stylesheet", href: "/tagmask/static/train.css" });
  await new Promise((done) => { style.onload = style.onerror = done; document.head.append(style); });
  new TrainTab(root).start();
}

class TrainTab {
  constructor(root) {
    const header = document.querySelector("#tm-header");
    const workspace = header?.dataset.workspace ?? "";
    this.storage = `tagmask.train.job.${workspace}`;
    this.chosen = Number(localStorage.getItem(this.storage)) || null;
    this.jobs = [];
    this.rev = "";
    this.timer = null;
    this.polling = false;
    this.form = new Form({ workspace, onQueued: (job) => this.pick(job), onFrozen: () => this.refresh() });
    this.list = new JobList((id) => this.pick(id));
    this.detail = new Detail({ onChange: (id) => this.pick(id), onOrder: (recipe, options) => this.form.fill(recipe, options), barred: barred("trainer") });
    this.banner = el("p", { class: "tr-banner", role: "status", hidden: true });
    this.empty = el("div", { class: "tm-empty tr-empty", hidden: true },
      el("h2", {}, "No runs yet"),
      el("p", {}, barred("trainer") ? "A trainer can have networks learn from the tags of this workspace; their curves, numbers and logs are then here to look at." : "Press Train to learn from the tags of this workspace. Runs go on when this page is closed; their curves, numbers and logs are here when you come back."));
    this.skeleton = el("div", { class: "tr-skeleton" }, el("div", { class: "tm-skeleton" }), el("div", { class: "tm-skeleton" }));
    root.replaceChildren(el("div", { class: "tr" }, this.form.node,
      el("div", { class: "tr-main" }, this.banner, this.list.node, this.empty, this.skeleton, this.detail.node)));
    this.list.node.hidden = true;
  }

  start() {
    onTabVisible("train", () => { this.refresh(); this.poll(); });
    document.addEventListener("visibilitychange", () => { if (this.watched) this.poll(); });
  }

  get watched() {
    return tabVisible("train") && !document.hidden;
  }

  /** Reads anew what can be trained: recipes, snapshots, weights, counts. */
  async refresh() {
    try {
      this.form.update(await getJSON("train/setup"));
    } catch (error) {
      this.say(error.message);
    }
  }

  /** Turns to a job, and asks for news at once. */
  pick(id) {
    if (id !== this.chosen) {
      this.chosen = id;
      localStorage.setItem(this.storage, String(id));
      this.detail.pick(id);
      this.list.show(this.jobs, id, Date.now() / 1000);
    }
    this.poll();
  }

  async poll() {
    clearTimeout(this.timer);
    if (this.polling) { this.again = true; return; }
    this.polling = true;
    let more = false;
    try {
      const asked = this.chosen;
      const query = { rev: this.rev, job: asked ?? 0, after: this.detail.after, log: this.detail.log.end };
      const answer = await getJSON("train/jobs", query);
      this.say("");
      more = this.take(answer, asked);
      if (!this.form.setup) this.refresh();
    } catch (error) {
      this.say(error.message);
    }
    this.polling = false;
    const soon = more || this.again;
    this.again = false;
    if (this.watched) this.timer = setTimeout(() => this.poll(), soon ? 0 : this.jobs.some(active) ? EVERY : AT_REST);
  }

  /** Shows an answer; true where there is more to ask for at once. */
  take(answer, asked) {
    const before = this.jobs;
    this.rev = answer.rev;
    this.jobs = answer.jobs ?? this.jobs;
    this.skeleton.hidden = true;
    this.list.node.hidden = !this.jobs.length;
    this.empty.hidden = this.jobs.length > 0;
    if (!this.jobs.some((job) => job.id === this.chosen)) {
      this.chosen = (this.jobs.find(active) ?? this.jobs[0])?.id ?? null;
      this.detail.pick(this.chosen);
    } else if (this.detail.id !== this.chosen) {
      this.detail.pick(this.chosen);
    }
    if (answer.jobs || this.jobs.some(active)) this.list.show(this.jobs, this.chosen, answer.now);
    // A run that ended brought weights, candidates or a snapshot.
    const ended = before.some((job) => active(job) && !active(this.jobs.find((other) => other.id === job.id) ?? job));
    if (ended) this.refresh();
    const waiting = this.jobs.some(active);
    if (waiting && !answer.supervisor) this.say("The supervisor that runs jobs is starting.");
    if (answer.job && answer.job.id === this.chosen) {
      this.detail.add(this.jobs.find((job) => job.id === this.chosen), answer.job, answer.now);
      return answer.job.more;
    }
    return this.chosen !== null && asked !== this.chosen;
  }

  say(sentence) {
    this.banner.hidden = !sentence;
    if (this.banner.textContent !== sentence) this.banner.textContent = sentence;
  }
}
