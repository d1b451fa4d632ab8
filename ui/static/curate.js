// The Curate tab: a queue of candidate masks, judged by key or button, every decision kept.
import { barred, el, formatNumber, getJSON, may, onTabVisible, reviewer, session, tabVisible, toast, typing } from "./ui.js";
import { palette } from "./masks.js";
import { REPEATING } from "./curate/actions.js";
import { Acts } from "./curate/acts.js";
import { asked } from "./curate/address.js";
import { decideAll } from "./curate/batch.js";
import { Bindings } from "./curate/bindings.js";
import { Choices } from "./curate/choices.js";
import { Comparing } from "./curate/comparing.js";
import { detailsOf } from "./curate/details.js";
import { nothing } from "./curate/empty.js";
import { filterBar } from "./curate/filters.js";
import { Histogram } from "./curate/histogram.js";
import { showKeys } from "./curate/keys.js";
import { List, VERDICT } from "./curate/list.js";
import { Outbox } from "./curate/outbox.js";
import { Pressing } from "./curate/pressing.js";
import { Progress } from "./curate/progress.js";
import { Queue } from "./curate/queue.js";
import { Stage } from "./curate/stage.js";
import { Strip } from "./curate/strip.js";

const SETTLED = 400;

export async function mount(root) {
  const style = el("link", { rel: "stylesheet", href: "/tagmask/static/curate.css" });
  await new Promise((done) => { style.onload = style.onerror = done; document.head.append(style); });
  const tab = new CurateTab(root);
  await tab.start();
}

class CurateTab {
  constructor(root) {
    this.root = root;
    this.queue = new Queue(() => this.render());
    this.pressing = new Pressing();
    this.bindings = new Bindings();
    this.outbox = new Outbox(document.querySelector("#tm-header")?.dataset.id ?? "", {
      onChange: (waiting, problem, sent) => this.#outboxChanged(waiting, problem, sent),
      onRefused: (entry, error) => this.#refused(error),
    });
    this.editing = false;
  }

  get well() { return this.stage.well; }

  get view() { return this.stage.view; }

  get pictures() { return this.stage.pictures; }

  async start() {
    this.#layout();
    this.bindings.onChange(() => this.#printKeys());
    document.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("beforeunload", (event) => { if (this.outbox.entries.length) event.preventDefault(); });
    window.addEventListener("tagmask:reviewer", () => { if (tabVisible("curate")) this.refresh(); });
    this.outbox.flush();
    onTabVisible("curate", async () => {
      if (this.editing) return;
      await this.refresh();
      // What was drawn in an earlier visit and not saved is offered, once.
      this.offered ??= import("./curate/editor/drafts.js").then(({ offerDrafts }) => offerDrafts(this));
    });
  }

  /** Reads classes, runs, counts and the queue anew, staying on the candidate in view. */
  async refresh() {
    try {
      // What waits is sent first, so that the queue is without it; where it cannot be, it shows all the same.
      await Promise.race([this.outbox.flush(), new Promise((late) => setTimeout(late, 2000))]);
      this.setup = await getJSON("curate/setup");
      this.colours = palette(this.setup.classes);
      this.readOnly = this.setup.read_only || !may("reviewer");
      this.filters.update({ ...this.setup, read_only: this.readOnly });
      this.histogram.update(this.setup);
      this.choices.forget();
      const [counts, { ages }] = await Promise.all([
        getJSON("curate/counts"), getJSON("curate/pace", { reviewer: reviewer() }),
        this.queue.restart({}, this.queue.current?.id ?? null),
      ]);
      this.progress.update(counts, this.setup.classes, ages);
      this.render();
      this.histogram.refresh();
      this.strip.refresh(this.colours);
      this.comparing.follow(this.queue.filters.order, this.readOnly);
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    this.stage.say(
      el("h2", {}, "The queue could not be read"),
      el("p", {}, error.message),
      el("button", { class: "tm-button", type: "button", onclick: () => this.refresh() }, "Try again"));
  }

  decide(verdict) {
    const row = this.queue.current;
    // Nobody judges a mask that was not on the screen; looking on without one is what Skip is for.
    if (!row || this.readOnly || (verdict !== "skip" && this.stage.ready !== row.id)) return;
    this.progress.decided(row.verdict, verdict);
    this.queue.decided(row, verdict);
    row.reviewer = reviewer();
    this.choices.decided(row);
    // Who judges a share of their own says what they see there, whatever another drew of it.
    const seen = this.queue.filters.assigned ? {} : { fixed: row.fixed_id };
    this.outbox.push("curate/decide", { candidate: row.id, digest: row.digest, verdict, reviewer: reviewer(), session: session(), ...seen });
    this.said.textContent = `${row.image_name} ${VERDICT[verdict]}`;
    this.queue.go(this.queue.at + 1);
  }

  undo() {
    // Who judges a share of their own is not told what another said of the mask that comes back.
    if (!this.readOnly) this.outbox.push("curate/undo", { reviewer: reviewer(), session: session(), assigned: asked(this.queue.filters).assigned });
  }

  flag() {
    const row = this.queue.current;
    if (!row || this.readOnly) return;
    const flagged = !row.flagged;
    this.queue.flagged(row, flagged);
    this.outbox.push("curate/flag", { image: row.image_id, flagged, reviewer: reviewer(), session: session() });
    this.choices.forget(row.image_id);
    this.said.textContent = `${row.image_name} ${flagged ? "flagged" : "no longer flagged"}`;
    this.render();
  }

  step(by) {
    const next = this.queue.at + by;
    if (next >= this.queue.rows.length && this.queue.complete !== false) return;
    this.queue.go(next);
  }

  /** Gives the well to the editor, which answers through `closed`; the desk's keys rest meanwhile. */
  async edit() {
    const row = this.queue.current;
    if (!row || this.readOnly || this.editing || this.stage.ready !== row.id) return;
    this.editing = true;
    this.root.dataset.editing = "yes";
    try {
      // Fetched when it is asked for: who only judges never waits for it.
      const { openEditor } = await import("./curate/editor/editor.js");
      await openEditor(this);
    } catch (error) {
      this.closed(null);
      toast(`The editor could not start: ${error.message}`, "bad");
    }
  }

  /** The editor is done: `answer.row` is the fixed mask as the queue shows it; null where nothing was saved. */
  closed(answer) {
    if (!this.editing) return;
    this.editing = false;
    delete this.root.dataset.editing;
    this.stage.restore();
    const row = answer?.row;
    if (!row) return this.render();
    this.choices.forget(row.image_id);
    // The mask that was drawn over is rejected with it, as replaced.
    const drawnOver = [this.queue.current, ...this.queue.rows].find((each) => each?.id === row.parent_id);
    if (drawnOver) this.queue.decided(drawnOver, "reject");
    this.queue.fixed(row);
    this.progress.worked();
    this.said.textContent = `${row.image_name} fixed`;
    this.#countSoon();
    return this.queue.go(this.queue.at + 1);
  }

  #outboxChanged(waiting, problem, sent) {
    this.saving.textContent = problem
      ? `${waiting} ${waiting === 1 ? "decision is" : "decisions are"} kept in this browser and will be sent: ${problem}`
      : waiting ? "Saving…" : "All decisions saved";
    this.saving.classList.toggle("bad", Boolean(problem));
    if (sent && !waiting) {
      this.histogram.soon();
      this.strip.soon(this.colours);
      this.#countSoon();
    }
    if (sent?.entry.path === "curate/undo") this.#undone(sent.answer);
    if (sent?.entry.path === "curate/batch") this.#batched(sent);
    if (sent?.entry.path === "people/revert") this.#reverted(sent.answer);
  }

  async #undone({ decision, row, count }) {
    if (!decision) {
      toast("There is nothing of yours left to undo.");
      return;
    }
    this.choices.forget(row.image_id);
    if (count > 1 || this.queue.filters.kept === "no") await this.refresh();
    this.queue.bring(row);
    this.said.textContent = count > 1 ? `Undone: ${formatNumber(count)} decisions of a set` : `Undone: ${row.image_name} is ${VERDICT[row.verdict]} again`;
    if (count > 1) toast(`${formatNumber(count)} decisions were taken back.`, "good");
  }

  /** What was brought back may belong elsewhere in the queue, or nowhere in it; it stays in view all the same. */
  async #reverted({ event, row }) {
    await this.refresh();
    if (row) this.queue.bring(row);
    this.said.textContent = `You ${event.says}`;
  }

  async #batched({ entry, answer }) {
    await this.refresh();
    toast(`${formatNumber(answer.count)} masks ${VERDICT[entry.body.verdict]}. ${this.bindings.shown("undo")} takes all of it back at once.`, "good");
  }

  async #refused(error) {
    toast(`Not recorded: ${error.message}`, "bad");
    await this.refresh();
    // Somebody drew a newer mask than the one that was judged: that is what there is to look at.
    if (error.body?.row) this.queue.open(error.body.row);
  }

  #countSoon() {
    clearTimeout(this.counting);
    this.counting = setTimeout(async () => {
      const counts = await getJSON("curate/counts").catch(() => null);
      // A verdict that was given meanwhile is counted here already and not there yet.
      if (!counts || this.outbox.entries.length) return;
      this.progress.update(counts, this.setup.classes);
      this.#renderNumbers();
    }, SETTLED);
  }

  #layout() {
    this.filters = filterBar({ filters: this.queue.filters, onChange: () => this.#filter(), onBatch: () => this.#decideAll() });
    this.comparing = new Comparing({ element: this.filters.note, onDone: () => { this.choices.forget(); this.queue.restart({}, this.queue.current?.id).catch((error) => this.fail(error)); } });
    this.histogram = new Histogram({ filters: this.queue.filters, onTau: () => this.#tauMoved(), onStrip: () => this.#showStrip() });
    this.strip = new Strip({ filters: this.queue.filters, onOpen: (row) => this.queue.open(row) });
    this.choices = new Choices({ filters: this.queue.filters, onChoose: (row) => this.queue.choose(row), onTrouble: (error) => toast(error.message, "bad"), label: (id) => this.bindings.shown(id) });
    this.stage = new Stage({ onReady: (row, picture) => this.#ready(row, picture), onFlag: () => this.flag(), onKeys: () => showKeys(this.bindings), label: (id) => this.bindings.shown(id) });
    this.progress = new Progress();
    this.list = new List((index) => this.queue.go(index));
    this.saving = el("span", { class: "cu-saving", role: "status" }, "");
    this.acts = new Acts({ saving: this.saving, undo: () => this.undo(), edit: () => this.edit(), decide: (verdict) => this.decide(verdict), step: (by) => this.step(by) });
    this.said = el("span", { class: "tm-visually-hidden", role: "status", "aria-live": "polite" });
    this.details = el("aside", { class: "cu-details", "aria-label": "About this candidate" });
    this.root.replaceChildren(
      el("div", { class: "cu" },
        el("nav", { class: "cu-rail", "aria-label": "Queue" }, this.progress.element, this.filters.element, this.histogram.element, this.list.element),
        el("section", { class: "cu-stage", "aria-label": "Candidate" }, this.stage.tools, this.stage.well, this.choices.element, this.strip.element,
          this.acts.element),
        this.details, this.said));
    this.#printKeys();
  }

  /** Prints on every button the key that presses it now. */
  #printKeys() {
    for (const button of this.root.querySelectorAll("[data-act]")) {
      const key = this.bindings.shown(button.dataset.act);
      button.querySelector("kbd")?.replaceChildren(key);
      if (!button.dataset.layer) button.title = (button.dataset.act in this.acts.buttons && barred("reviewer")) || `${button.dataset.title} (key ${key})`;
    }
    this.stage.printKeys();
    this.choices.show(this.queue.current);
  }

  #filter() {
    this.choices.forget();
    this.queue.restart({}).catch((error) => this.fail(error));
    this.comparing.follow(this.queue.filters.order, this.readOnly);
    this.histogram.soon();
    this.strip.refresh(this.colours);
  }

  async #decideAll() {
    try {
      await this.outbox.flush();
      await decideAll({ filters: this.queue.filters, colours: this.colours, onDecide: (verdict, filter, digest) => this.outbox.push("curate/batch", { filter, digest, verdict, reviewer: reviewer(), session: session() }) });
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  #tauMoved() {
    if (this.queue.filters.order === "tau") this.queue.restart({}).catch((error) => this.fail(error));
    this.strip.refresh(this.colours);
  }

  #showStrip() {
    this.histogram.strip.setAttribute("aria-pressed", String(this.strip.toggle()));
    this.strip.refresh(this.colours);
  }

  render() {
    if (this.editing) return;
    const row = this.queue.current;
    if (row) {
      const picture = this.stage.show(row, this.colours);
      this.stage.ahead(this.queue.upcoming);
      this.#describe(row, picture?.labels ?? null);
    } else {
      this.stage.say(...nothing(this.queue, this.progress.counts));
      this.details.replaceChildren();
    }
    this.choices.show(row);
    this.#allow();
    this.#renderNumbers();
    this.list.render(this.queue);
  }

  /** The mask is on the screen: only now can it be judged. */
  #ready(row, picture) {
    this.#allow();
    this.#describe(row, picture.labels);
    this.strip.mark(row.id);
    this.root.dataset.shown = row.id;
  }

  /** What is known of a candidate; what stood open before stays open. */
  #describe(row, labels) {
    const open = { explained: this.details.querySelector(".cu-about")?.open ?? false, history: this.details.querySelector(".cu-history")?.open ?? false };
    this.details.replaceChildren(...detailsOf(row, this.setup, labels, open, { onRevert: (path, body) => this.outbox.push(path, body) }));
  }

  #allow() {
    const row = this.queue.current;
    this.acts.allow({ row, ready: this.stage.ready, readOnly: Boolean(this.readOnly) });
    this.stage.flag.disabled = !row || Boolean(this.readOnly);
  }

  #renderNumbers() {
    const { filters, left, total } = this.queue;
    this.progress.render(filters.verdict === "undecided" ? left : null);
    this.filters.count(filters.verdict === "all" ? total : left);
  }

  #key(event) {
    if (this.editing || !tabVisible("curate") || typing(event) || this.pressing.takes(event) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const action = this.bindings.actionOf(event);
    if (!action || (event.repeat && !REPEATING.has(action))) return;
    event.preventDefault();
    this.#act(action);
  }

  #act(action) {
    const acts = {
      accept: () => this.decide("accept"), reject: () => this.decide("reject"), skip: () => this.decide("skip"),
      edit: () => this.edit(), undo: () => this.undo(), flag: () => this.flag(), next: () => this.step(1), previous: () => this.step(-1),
      hide: () => this.stage.toggle("hide"), outline: () => this.stage.toggle("outline"), more: () => this.stage.fade(0.05), less: () => this.stage.fade(-0.05),
      reference: () => this.stage.layers.toggle("reference"), difference: () => this.stage.layers.toggle("difference"), keys: () => showKeys(this.bindings),
    };
    if (action.startsWith("choose")) this.choices.choose(Number(action.slice("choose".length)));
    else acts[action]();
  }
}
