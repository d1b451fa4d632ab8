// The Curate tab: a queue of candidate masks, judged by key or button, every decision kept.
import { el, formatNumber, getJSON, onTabVisible, reviewer, session, tabVisible, toast, typing } from "./ui.js";
import { palette } from "./masks.js";
import { Outbox } from "./curate/outbox.js";
import { Pictures } from "./curate/pictures.js";
import { MaskCanvas } from "./curate/canvas.js";
import { Queue } from "./curate/queue.js";
import { detailsOf } from "./curate/details.js";
import { filterBar } from "./curate/filters.js";
import { showKeys } from "./curate/keys.js";
import { Layers } from "./curate/layers.js";
import { Histogram } from "./curate/histogram.js";
import { Pressing } from "./curate/pressing.js";
import { Strip } from "./curate/strip.js";

const VERDICT = { accept: "accepted", reject: "rejected", fix: "fixed", skip: "skipped", undecided: "undecided" };

export async function mount(root) {
  const style = el("link", { rel: "stylesheet", href: "/tagmask/static/curate.css" });
  await new Promise((done) => { style.onload = style.onerror = done; document.head.append(style); });
  const tab = new CurateTab(root);
  await tab.start();
}

class CurateTab {
  constructor(root) {
    this.root = root;
    this.pictures = new Pictures();
    this.queue = new Queue(() => this.render());
    this.pressing = new Pressing();
    this.outbox = new Outbox(document.querySelector("#tm-header")?.dataset.id ?? "", {
      onChange: (waiting, problem, sent) => this.#outboxChanged(waiting, problem, sent),
      onRefused: (entry, error) => { toast(`Not recorded: ${error.message}`, "bad"); this.refresh(); },
    });
    this.counts = null;
    this.shown = null;
  }

  async start() {
    this.#layout();
    document.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("beforeunload", (event) => { if (this.outbox.entries.length) event.preventDefault(); });
    this.outbox.flush();
    onTabVisible("curate", () => this.refresh());
  }

  /** Reads classes, runs, counts and the queue anew, staying on the candidate in view. */
  async refresh() {
    try {
      // What waits is sent first, so that the queue is without it; where it cannot be, it shows all the same.
      await Promise.race([this.outbox.flush(), new Promise((late) => setTimeout(late, 2000))]);
      this.setup = await getJSON("curate/setup");
      this.colours = palette(this.setup.classes);
      this.filters.update(this.setup);
      this.histogram.update(this.setup);
      this.setReadOnly(this.setup.read_only);
      const [counts] = await Promise.all([
        getJSON("curate/counts"),
        this.queue.restart({}, this.queue.current?.id ?? null),
      ]);
      this.counts = counts;
      this.render();
      this.histogram.refresh();
      this.strip.refresh(this.colours);
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    this.message.replaceChildren(
      el("h2", {}, "The queue could not be read"),
      el("p", {}, error.message),
      el("button", { class: "tm-button", type: "button", onclick: () => this.refresh() }, "Try again"));
    this.message.hidden = false;
  }

  setReadOnly(readOnly) {
    for (const button of this.deciders) {
      button.disabled = readOnly;
      if (readOnly) button.title = "This workspace is open read-only";
    }
    this.readOnly = readOnly;
  }

  decide(verdict) {
    const row = this.queue.current;
    // Nobody judges a mask that was not on the screen; looking on without one is what Skip is for.
    if (!row || this.readOnly || (verdict !== "skip" && this.ready !== row.id)) return;
    this.#count(row.verdict, verdict);
    row.verdict = verdict;
    row.reviewer = reviewer();
    this.outbox.push("curate/decide", { candidate: row.id, digest: row.digest, verdict, reviewer: reviewer(), session: session() });
    this.said.textContent = `${row.image_name} ${VERDICT[verdict]}`;
    this.queue.go(this.queue.at + 1);
  }

  undo() {
    if (this.readOnly) return;
    this.outbox.push("curate/undo", { reviewer: reviewer(), session: session() });
  }

  step(by) {
    const next = this.queue.at + by;
    if (next >= this.queue.rows.length && this.queue.complete !== false) return;
    this.queue.go(next);
  }

  #count(from, to) {
    if (!this.counts) return;
    this.counts.verdicts[from] -= 1;
    this.counts.verdicts[to] += 1;
  }

  #outboxChanged(waiting, problem, sent) {
    this.saving.textContent = problem
      ? `${waiting} ${waiting === 1 ? "decision is" : "decisions are"} kept in this browser and will be sent: ${problem}`
      : waiting ? "Saving…" : "All decisions saved";
    this.saving.classList.toggle("bad", Boolean(problem));
    if (sent && !waiting) {
      this.histogram.soon();
      this.strip.soon(this.colours);
    }
    if (sent?.entry.path !== "curate/undo") return;
    const { decision, row } = sent.answer;
    if (!decision) {
      toast("There is nothing of yours left to undo.");
      return;
    }
    this.queue.bring(row);
    this.said.textContent = `Undone: ${row.image_name} is ${VERDICT[row.verdict]} again`;
    getJSON("curate/counts").then((counts) => { this.counts = counts; this.#renderCounts(); }, () => {});
  }

  #layout() {
    const button = (label, key, title, act, kind = "") =>
      el("button", { type: "button", class: `tm-button ${kind}`, title: `${title} (key ${key})`, onclick: act }, label, el("kbd", {}, key));
    this.buttons = {
      undo: button("Undo", "Z", "Take back your last decision", () => this.undo()),
      reject: button("Reject", "X", "This mask is not good enough", () => this.decide("reject"), "danger"),
      skip: button("Skip", "Space", "Leave it for later", () => this.decide("skip")),
      accept: button("Accept", "A", "Keep this mask for training", () => this.decide("accept"), "primary"),
    };
    this.deciders = Object.values(this.buttons);
    this.filters = filterBar((change) => this.#filter(change), this.queue.filters);
    this.histogram = new Histogram({ filters: this.queue.filters, onTau: () => this.#tauMoved(), onStrip: () => this.#showStrip() });
    this.strip = new Strip({ filters: this.queue.filters, onOpen: (row) => this.queue.open(row) });
    this.layers = new Layers((layer) => this.view.set({ layer }));
    this.progress = el("div", { class: "cu-progress" });
    this.list = el("ol", { class: "cu-list", "aria-label": "Queue of candidate masks", tabindex: "-1" });
    this.saving = el("span", { class: "cu-saving", role: "status" }, "");
    this.said = el("span", { class: "tm-visually-hidden", role: "status", "aria-live": "polite" });
    this.picture = el("canvas", { class: "cu-canvas", role: "img", "aria-label": "The photograph with its candidate mask", title: "Wheel zooms, drag moves, double-click fits" });
    this.message = el("div", { class: "tm-empty cu-message", hidden: true });
    this.view = new MaskCanvas(this.picture);
    this.hide = el("button", { type: "button", class: "tm-button small quiet", "aria-pressed": "false", title: "Hide or show the mask (key H)", onclick: () => this.#toggle("hidden") }, "Hide mask", el("kbd", {}, "H"));
    this.outline = el("button", { type: "button", class: "tm-button small quiet", "aria-pressed": "false", title: "Draw only the mask's outline (key O)", onclick: () => this.#toggle("outline") }, "Outline", el("kbd", {}, "O"));
    this.opacity = el("input", { type: "range", min: 0.1, max: 1, step: 0.05, value: this.view.view.opacity, "aria-label": "Mask opacity", title: "Mask opacity (keys + and −)", oninput: () => this.view.set({ opacity: Number(this.opacity.value) }) });
    this.details = el("aside", { class: "cu-details", "aria-label": "About this candidate" });
    this.root.replaceChildren(
      el("div", { class: "cu" },
        el("nav", { class: "cu-rail", "aria-label": "Queue" }, this.progress, this.filters.element, this.histogram.element, this.list),
        el("section", { class: "cu-stage", "aria-label": "Candidate" },
          el("div", { class: "cu-tools" }, this.hide, this.outline, this.layers.buttons, el("label", { class: "cu-opacity" }, el("span", {}, "Opacity"), this.opacity),
            el("span", { class: "cu-gap" }),
            el("button", { type: "button", class: "tm-button small quiet", title: "The map of keys (key ?)", onclick: showKeys }, "Keys", el("kbd", {}, "?"))),
          el("div", { class: "cu-well" }, this.picture, this.layers.legend, this.message),
          this.strip.element,
          el("div", { class: "cu-acts" }, this.saving, el("span", { class: "cu-gap" }), this.buttons.undo, this.buttons.reject, this.buttons.skip, this.buttons.accept)),
        this.details, this.said));
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[data-index]");
      if (item) this.queue.go(Number(item.dataset.index));
    });
  }

  #filter(change) {
    this.queue.restart(change).catch((error) => this.fail(error));
    this.histogram.soon();
    this.strip.refresh(this.colours);
  }

  #tauMoved() {
    if (this.queue.filters.order === "tau") this.queue.restart({}).catch((error) => this.fail(error));
    this.strip.refresh(this.colours);
  }

  #showStrip() {
    this.histogram.strip.setAttribute("aria-pressed", String(this.strip.toggle()));
    this.strip.refresh(this.colours);
  }

  #toggle(name) {
    this.view.set({ [name]: !this.view.view[name] });
    const button = name === "hidden" ? this.hide : this.outline;
    button.setAttribute("aria-pressed", String(this.view.view[name]));
  }

  render() {
    this.#renderPicture();
    this.#renderCounts();
    this.#renderList();
  }

  #renderPicture() {
    const row = this.queue.current;
    this.message.hidden = Boolean(row);
    if (!row) {
      this.shown = this.ready = null;
      this.#allow();
      this.view.show(null);
      this.layers.show(null);
      this.details.replaceChildren();
      this.message.replaceChildren(...this.#nothing());
      return;
    }
    const entry = this.pictures.get(row);
    for (const next of this.queue.upcoming) this.pictures.get(next);
    if (this.shown !== row.id) {
      this.shown = row.id;
      this.ready = null;
      const show = (picture) => {
        if (this.shown !== row.id) return;
        this.ready = row.id;
        this.#allow();
        this.message.hidden = true;
        this.view.show(picture, this.colours);
        this.layers.show(picture);
        this.#describe(row, picture.labels);
        this.strip.mark(row.id);
        this.root.dataset.shown = row.id;
      };
      if (entry.ready) {
        show(entry.ready);
      } else {
        this.#describe(row, null);
        this.view.show(null);
        this.layers.show(null);
        entry.promise.then(show, (error) => this.#missing(row, error));
      }
      this.#allow();
    } else {
      this.#describe(row, entry.ready?.labels ?? null);
    }
  }

  /** What is known of a candidate, the scores still explained where they were before. */
  #describe(row, labels) {
    const explained = this.details.querySelector(".cu-about")?.open ?? false;
    this.details.replaceChildren(...detailsOf(row, this.setup, labels, explained));
  }

  /** Accept and Reject wait until the mask is on the screen. */
  #allow() {
    const row = this.queue.current;
    const off = !row || Boolean(this.readOnly);
    this.buttons.skip.disabled = off;
    this.buttons.accept.disabled = this.buttons.reject.disabled = off || this.ready !== row.id;
  }

  /** The picture did not come: says so where it would be, and asks again while it is waited for. */
  #missing(row, error) {
    if (this.shown !== row.id) return;
    this.message.replaceChildren(
      el("h2", {}, "This picture could not be loaded"),
      el("p", {}, `${error.message} It is asked for again every few seconds; until it is here it can be skipped, but not judged.`));
    this.message.hidden = false;
    setTimeout(() => {
      if (this.shown !== row.id || this.ready === row.id) return;
      this.pictures.get(row).promise.then((picture) => {
        if (this.shown !== row.id) return;
        this.shown = null;
        this.#renderPicture();
      }, (again) => this.#missing(row, again));
    }, 2500);
  }

  #nothing() {
    const { verdict, tag, run, query, min_score: min, max_score: max } = this.queue.filters;
    const narrowed = tag !== null || run !== null || query || min !== null || max !== null;
    if (!this.counts) return [el("div", { class: "tm-skeleton cu-loading" })];
    if (!this.counts.total) {
      return [el("h2", {}, "No candidate masks yet"), el("p", {}, "Open an image in Inspect and press “Offer as candidate”, or let finished weights propose masks for every image: Train, then “Make candidates”.")];
    }
    if (!narrowed && verdict === "undecided") {
      return [el("h2", {}, "Every candidate is decided"), el("p", {}, `${formatNumber(this.counts.verdicts.accept)} accepted, ${formatNumber(this.counts.verdicts.reject)} rejected, ${formatNumber(this.counts.verdicts.skip)} skipped. Freeze the accepted set in Train and train again.`)];
    }
    if (this.queue.rows.length && verdict === "undecided") {
      return [el("h2", {}, "Every candidate under these filters is decided"), el("p", {}, "Loosen a filter on the left to go on with others.")];
    }
    return [el("h2", {}, "Nothing matches these filters"), el("p", {}, "Loosen a filter on the left; the queue shows what is left at once.")];
  }

  #renderCounts() {
    if (!this.counts) return;
    const { total, verdicts } = this.counts;
    const part = (verdict, label) => el("span", { class: `cu-count ${verdict}`, title: `${formatNumber(verdicts[verdict])} of ${formatNumber(total)} candidates are ${VERDICT[verdict]}`, dataset: { verdict } }, el("b", {}, formatNumber(verdicts[verdict])), ` ${label}`);
    const kept = verdicts.accept + verdicts.fix;
    const bar = (name, value) => el("i", { class: name, style: { flexGrow: value } });
    this.progress.replaceChildren(
      el("div", { class: "cu-bar", role: "img", "aria-label": `${total - verdicts.undecided} of ${total} decided` }, bar("accept", kept), bar("reject", verdicts.reject), bar("skip", verdicts.skip), bar("undecided", verdicts.undecided)),
      el("div", { class: "cu-counts" }, part("undecided", "left"), part("accept", "accepted"), part("reject", "rejected"), part("skip", "skipped")));
  }

  #renderList() {
    const from = Math.max(0, this.queue.at - 20);
    const rows = this.queue.rows.slice(from, this.queue.at + 60);
    this.list.replaceChildren(...rows.map((row, i) => this.#item(row, from + i)));
    this.list.querySelector('[aria-current="true"]')?.scrollIntoView({ block: "nearest" });
  }

  #item(row, index) {
    const current = index === this.queue.at;
    return el("li", {},
      el("button", { type: "button", class: "cu-item", "aria-current": String(current), dataset: { index, id: row.id }, title: `${row.image_name}: ${row.why}` },
        el("img", { src: `/tagmask/thumbs/${row.image_digest}?side=96`, alt: "", loading: "lazy", width: 40, height: 40 }),
        el("span", { class: "cu-item-text" }, el("span", { class: "cu-name" }, row.image_name), el("span", { class: "tm-faint" }, row.why)),
        row.verdict === "undecided" ? null : el("span", { class: `cu-dot ${row.verdict}`, title: VERDICT[row.verdict], "aria-label": VERDICT[row.verdict] })));
  }

  #key(event) {
    if (!tabVisible("curate") || typing(event) || this.pressing.takes(event) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const acts = {
      a: () => this.decide("accept"), x: () => this.decide("reject"), " ": () => this.decide("skip"), z: () => this.undo(),
      ArrowRight: () => this.step(1), ArrowDown: () => this.step(1), ArrowLeft: () => this.step(-1), ArrowUp: () => this.step(-1),
      h: () => this.#toggle("hidden"), o: () => this.#toggle("outline"), r: () => this.layers.toggle("reference"), d: () => this.layers.toggle("difference"),
      "+": () => this.#fade(0.05), "=": () => this.#fade(0.05), "-": () => this.#fade(-0.05), "?": showKeys,
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (event.repeat && !event.key.startsWith("Arrow") && !"+=-".includes(event.key))) return;
    event.preventDefault();
    act();
  }

  #fade(by) {
    const opacity = Math.min(1, Math.max(0.1, this.view.view.opacity + by));
    this.opacity.value = opacity;
    this.view.set({ opacity });
  }
}
