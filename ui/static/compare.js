// The Compare tab: two runs or methods, by class, by image, and pixel by pixel under a slider.
import { el, formatNumber, getJSON, onTabVisible, tabVisible, toast, typing } from "./ui.js";
import { isMine, readAddress, writeAddress } from "./compare/address.js";
import { ClassTable } from "./compare/classes.js";
import { openFigure } from "./compare/figure.js";
import { ImageList } from "./compare/list.js";
import { IOU, SORTS, measuresOf, ordered, points, readComparison, shown, shownChange, valuesOf } from "./compare/measures.js";
import { Pictures } from "./compare/pictures.js";
import { Scatter } from "./compare/scatter.js";
import { verdictLegend } from "./compare/verdicts.js";
import { OPACITY, Wipe } from "./compare/wipe.js";

const REST = 300;
const DRAW = 250;

export async function mount(root) {
  const style = el("link", { rel: "stylesheet", href: "/tagmask/static/compare.css" });
  await new Promise((done) => { style.onload = style.onerror = done; document.head.append(style); });
  new CompareTab(root).start();
}

class CompareTab {
  constructor(root) {
    this.root = root;
    this.pictures = new Pictures();
    this.rows = [];
    this.classId = null;
    this.picked = null;
  }

  start() {
    this.#layout();
    document.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("hashchange", () => { if (tabVisible("compare") && isMine()) this.#followAddress(); });
    onTabVisible("compare", () => this.refresh());
  }

  /** Lists what can be compared and begins, where that was not done for the same two yet. */
  async refresh() {
    try {
      const { sides, classes } = await getJSON("compare/sides");
      Object.assign(this, { sides, classes });
      this.#fill();
      this.#followAddress();
    } catch (error) {
      this.#empty("This could not be read", error.message);
    }
  }

  #layout() {
    const select = (label, onchange) => el("select", { class: "tm-select", "aria-label": label, onchange });
    const button = (text, title, onclick, more = {}) => el("button", { type: "button", class: "tm-button quiet small", title, onclick, ...more }, text);
    this.choosers = ["A", "B"].map((letter) => select(`Side ${letter}`, () => this.#sidesChosen()));
    const side = (at) => el("label", { class: "cp-choose" }, el("span", { class: `cp-badge ${"ab"[at]}` }, "AB"[at]), this.choosers[at]);
    this.verdict = el("p", { class: "cp-verdict", role: "status" });
    this.reports = ["A", "B"].map((letter) => el("a", { class: "tm-button small", download: "", hidden: true, title: `One HTML file about run ${letter} that opens offline` }, `Report ${letter}`));
    this.measure = select("Measure", () => this.#choose({ measure: this.measure.value }));
    this.sort = select("Order of the images", () => this.#choose({ sort: this.sort.value }));
    this.sort.replaceChildren(...Object.entries(SORTS).map(([value, [text]]) => el("option", { value }, text)));
    this.table = new ClassTable((id) => this.#choose({ classId: id }));
    this.scatter = new Scatter((row) => this.pick(row));
    this.list = new ImageList((row) => this.pick(row));
    this.wipe = new Wipe(() => { this.#mark(); this.#later(); });
    this.name = el("b", { class: "cp-name" });
    this.told = el("span", { class: "cp-told" });
    this.key = el("div", { class: "cp-legend" });
    this.looks = { slider: button("Slider", "A's mask left of the divider, B's right of it (D)", () => this.wipe.set({ look: "slider" })), difference: button("Difference", "Where the two masks differ (D)", () => this.wipe.set({ look: "difference" })) };
    this.truth = button("Truth", "The true mask's outline (T)", () => this.wipe.set({ outlines: !this.wipe.outlines }));
    this.opacity = el("input", { type: "range", min: 0.1, max: 1, step: 0.05, value: this.wipe.opacity, "aria-label": "Mask opacity", title: "How opaque the masks lie over the photograph", oninput: () => this.wipe.set({ opacity: Number(this.opacity.value) }) });
    this.zoom = button("100%", "Back to the whole image (0)", () => this.wipe.camera.reset(), { class: "tm-button quiet small cp-zoom" });
    this.count = el("p", { class: "cp-note" });
    this.note = el("p", { class: "cp-note", hidden: true });
    this.message = el("div", { class: "tm-empty cp-empty", hidden: true });
    this.body = el("div", { class: "cp-body" },
      el("aside", { class: "cp-left", "aria-label": "Differences by class and by image" }, this.table.root, this.scatter.root, this.note),
      el("section", { class: "cp-centre", "aria-label": "Both masks of one image" },
        el("div", { class: "cp-tools" },
          button("‹", "Previous image (arrow up)", () => this.step(-1), { class: "tm-button quiet small icon", "aria-label": "Previous image" }),
          button("›", "Next image (arrow down)", () => this.step(1), { class: "tm-button quiet small icon", "aria-label": "Next image" }),
          this.name, this.told, el("span", { class: "cp-gap" }),
          el("div", { class: "cp-looks", role: "group", "aria-label": "What is shown" }, Object.values(this.looks)), this.truth, this.opacity,
          button("−", "Zoom out (−)", () => this.wipe.camera.zoomAt(1 / 1.5), { class: "tm-button quiet small icon", "aria-label": "Zoom out" }), this.zoom,
          button("+", "Zoom in (+)", () => this.wipe.camera.zoomAt(1.5), { class: "tm-button quiet small icon", "aria-label": "Zoom in" })),
        this.wipe.root, this.key),
      el("aside", { class: "cp-right", "aria-label": "Images" }, el("div", { class: "cp-orders" }, this.measure, this.sort, this.count), this.list.root));
    this.root.replaceChildren(el("div", { class: "cp" },
      el("header", { class: "cp-head" }, side(0), button("⇄", "A and B change places", () => this.#swap(), { class: "tm-button quiet small icon", "aria-label": "A and B change places" }), side(1), this.verdict, el("div", { class: "cp-acts" }, this.reports,
          button("Figure…", "A panel for a paper, as PNG, PDF or SVG", () => this.#figure(), { class: "tm-button small" }))),
      this.message, this.body));
  }

  #fill() {
    const group = (label, some) => (some.length ? el("optgroup", { label }, some.map(({ id, title, detail, count }) => el("option", { value: id, title: detail }, `${title} · ${formatNumber(count)}`))) : null);
    const of = (prefix) => this.sides.filter(({ id }) => id.startsWith(prefix));
    for (const chooser of this.choosers) {
      const had = chooser.value;
      chooser.replaceChildren(...[group("Runs", of("run:")), group("Methods", of("method:")), group("People", of("accepted"))].filter(Boolean));
      if (this.sides.some(({ id }) => id === had)) chooser.value = had;
    }
  }

  /** Takes what the address says; what it does not name begins with the newest two, the older one as A. */
  #followAddress() {
    if (this.sides.length < 2) {
      return this.#empty(this.sides.length ? "One side so far" : "No masks yet", this.sides.length
        ? `Only ${this.sides[0].title} has masks here. When a second run or method has offered masks (Train, “New candidates”), the two are compared here.`
        : "When two runs or methods have offered masks (Train, “Make candidates”, or Inspect, “Offer”), they are compared here, class by class and image by image.");
    }
    this.message.hidden = true;
    this.body.hidden = false;
    const asked = readAddress();
    const known = (id) => this.sides.some((each) => each.id === id);
    for (const [at, id] of [asked.a, asked.b].entries()) if (id && !known(id)) toast(`There are no masks of ‘${id.slice(0, 60)}’ here; side ${"AB"[at]} shows others.`, "warn");
    const b = known(asked.b) ? asked.b : this.pair?.b ?? this.sides.find(({ id }) => id !== asked.a).id;
    const a = known(asked.a) ? asked.a : this.pair?.a ?? this.sides.find(({ id }) => id !== b).id;
    [this.choosers[0].value, this.choosers[1].value] = [a, b];
    this.classId = asked.class === null || !/^\d{1,3}$/.test(asked.class) ? null : Number(asked.class);
    this.wanted = { measure: asked.measure, pick: asked.pick };
    this.sort.value = asked.sort in SORTS ? asked.sort : this.sort.value || "loss";
    if (!this.pair && !(asked.sort in SORTS)) this.sort.value = "loss";
    // What the address does not name is as it usually is, whatever was shown before.
    const number = (text, usual) => (text !== null && text !== "" && Number.isFinite(Number(text)) ? Number(text) : usual);
    this.wipe.set({ split: number(asked.split, 0.5), opacity: Math.min(Math.max(number(asked.masks, OPACITY), 0.1), 1), hidden: asked.masks === "hidden", look: asked.look === "difference" ? "difference" : "slider", outlines: asked.outlines === "truth" });
    this.wipe.place = asked.camera;
    this.opacity.value = this.wipe.opacity;
    if (this.pair?.a === a && this.pair?.b === b) this.#arrange(true);
    else this.#compare(a, b);
  }

  #empty(title, sentence) {
    this.body.hidden = true;
    this.verdict.textContent = "";
    this.message.replaceChildren(el("h2", {}, title), el("p", {}, sentence));
    this.message.hidden = false;
  }

  #sidesChosen() {
    this.wanted = { measure: this.measure.value || null, pick: this.picked?.name ?? null };
    this.#compare(...this.choosers.map(({ value }) => value));
  }

  #swap() {
    const [a, b] = this.choosers.map(({ value }) => value);
    [this.choosers[0].value, this.choosers[1].value] = [b, a];
    this.#sidesChosen();
  }

  /** Reads the comparison; the page fills while it comes. */
  async #compare(a, b) {
    this.reading?.abort();
    const { signal } = (this.reading = new AbortController());
    Object.assign(this, { pair: { a, b }, rows: [], summary: null, head: null });
    for (const [at, id] of [a, b].entries()) {
      const run = /^run:(\d+)$/.exec(id)?.[1];
      this.reports[at].hidden = !run;
      if (run) this.reports[at].href = `/tagmask/api/report/${run}.html`;
    }
    this.root.dataset.state = "reading";
    try {
      await readComparison({ a, b }, (line) => {
        if (signal.aborted) return;
        if ("total" in line) this.head = line;
        if (line.rows) this.rows.push(...line.rows);
        if (line.summary) { this.summary = line.summary; this.said = line.said; }
        if (line.summary || !this.drawing) this.#soon(line.summary ? 0 : DRAW);
      }, signal);
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      this.#empty("The comparison could not be made", error.message);
    }
  }

  #soon(wait) {
    clearTimeout(this.drawing);
    this.drawing = setTimeout(() => { this.drawing = null; this.#arrange(!this.picked); }, wait);
  }

  /** Puts measures, table, points and list in order; with `pick` the image that is wanted, else the first, is shown. */
  #arrange(pick = false) {
    const measures = measuresOf(this.rows);
    const names = measures.map(([name]) => name);
    const wanted = this.wanted?.measure ?? this.measure.value;
    this.measure.replaceChildren(...measures.map(([value, text]) => el("option", { value }, text)));
    this.measure.value = names.includes(wanted) ? wanted : names[0] ?? "";
    this.measure.hidden = !names.length;
    const measure = this.measure.value || null;
    if (!measure && !["apart", "name"].includes(this.sort.value)) this.sort.value = "apart";
    const of = this.classes.find(({ id }) => id === this.classId)?.name ?? (this.classId === 0 ? "background" : null);
    this.items = ordered(this.rows, { measure, classId: this.classId, sort: this.sort.value });
    this.table.show(this.summary, this.classes, this.classId);
    this.scatter.show(this.items, measure, of);
    this.list.show(this.items, measure);
    this.#sayAll(of);
    const named = this.wanted?.pick && this.rows.find(({ name }) => name === this.wanted.pick);
    const here = this.picked && this.rows.find(({ id }) => id === this.picked.id);
    if (named && (pick || named !== here)) { this.wanted.pick = null; this.pick(named); }
    else if (here) this.pick(here);
    else if (this.summary || !this.wanted?.pick) this.pick(this.items[0]?.row ?? null);
    if (this.summary) {
      if (this.wanted?.pick) toast(`Not both sides have a mask of ‘${this.wanted.pick.slice(0, 60)}’; another image is shown.`, "warn");
      this.wanted = null;
      this.root.dataset.state = "done";
    }
  }

  /** What the comparison comes to, in a sentence; while it is measured, how far that is. */
  #sayAll(of) {
    const { head, summary } = this;
    if (!head) return;
    const alone = ["a", "b"].filter((side) => head[side].alone).map((side) => `${formatNumber(head[side].alone)} only in ${side.toUpperCase()}`);
    this.count.textContent = `${formatNumber(this.items.length)} image${this.items.length === 1 ? "" : "s"}${of ? ` with ${of}` : " with both masks"}${alone.length && !of ? `; ${alone.join(", ")}` : ""}`;
    this.note.textContent = (this.said ?? []).join(" ");
    this.note.hidden = !this.said?.length;
    if (!summary) {
      this.verdict.replaceChildren(el("progress", { max: head.total || 1, value: this.rows.length, "aria-label": "Images measured" }), ` ${formatNumber(this.rows.length)} of ${formatNumber(head.total)} images measured`);
      return;
    }
    const { truth, agreement } = summary;
    if (!truth) {
      this.verdict.textContent = summary.images ? `A and B agree on ${formatNumber(100 * agreement.miou, 1)}% (mean IoU of their masks). No true mask says which is right.` : "No image has masks of both sides.";
      return;
    }
    const [low, high] = truth.interval;
    const sure = low > 0 || high < 0;
    const title = "Mean IoU over the classes, B less A, in points. The interval holds 95% of what comes out when the images are drawn anew, with replacement: where it does not cross zero, the difference is more than these images' luck.";
    this.verdict.replaceChildren(
      el("span", { class: "cp-miou" }, "mIoU ", el("b", {}, formatNumber(100 * truth.a.miou, 1)), " → ", el("b", {}, formatNumber(100 * truth.b.miou, 1))),
      el("span", { class: `cp-change ${sure ? (truth.change > 0 ? "b" : "a") : "unsure"}`, title }, el("b", {}, points(truth.change)), ` (95%: ${points(low)} to ${points(high)})`),
      el("span", { class: "tm-muted" }, sure ? `${truth.change > 0 ? "B" : "A"} is better` : "no clear winner", ` · B better on ${formatNumber(truth.better)}, worse on ${formatNumber(truth.worse)}, same on ${formatNumber(truth.same)}`));
  }

  #choose(changes) {
    if ("classId" in changes) this.classId = changes.classId;
    this.wanted = { measure: changes.measure ?? this.measure.value, pick: null };
    if (changes.sort || "classId" in changes) this.picked = null;
    this.#arrange();
    this.#later();
  }

  /** Looks at an image. */
  async pick(row) {
    const same = row && this.picked?.id === row.id && this.picked.a.digest === row.a.digest && this.picked.b.digest === row.b.digest;
    this.picked = row;
    this.list.mark(row);
    this.scatter.mark(row);
    this.#describe(row);
    this.#mark();
    this.#later();
    if (same && this.wipe.picture) return;
    if (!row) return this.wipe.say(this.summary ? "No image is under this choice." : "");
    this.root.dataset.shown = "";
    try {
      const picture = await this.pictures.get(row);
      if (this.picked !== row) return;
      this.wipe.show(picture, this.classes);
      this.#mark();
      this.root.dataset.shown = row.name;
      const next = this.list.beside(1);
      if (next) this.pictures.get(next).catch(() => {});
    } catch (error) {
      if (this.picked === row) this.wipe.say(error.message);
    }
  }

  step(by) {
    const next = this.list.beside(by);
    if (next) this.pick(next);
  }

  #describe(row) {
    this.name.textContent = row?.name ?? "";
    this.name.title = row?.name ?? "";
    const measure = this.measure.value;
    const values = row && measure ? valuesOf(row, measure, measure === IOU ? this.classId : null) : null;
    this.told.replaceChildren(...(values
      ? [el("span", { class: "cp-badge a" }, "A"), shown(values[0], measure), el("span", { class: "cp-badge b" }, "B"), shown(values[1], measure), el("b", {}, shownChange(values[1] - values[0], measure))]
      : row ? [`${formatNumber(100 * row.agreement, 1)}% alike`] : []));
  }

  /** Buttons and legend say what is shown. */
  #mark() {
    const { look, outlines, camera } = this.wipe;
    for (const [name, button] of Object.entries(this.looks)) button.setAttribute("aria-pressed", String(name === look));
    this.truth.setAttribute("aria-pressed", String(outlines));
    this.truth.disabled = !this.picked?.truth;
    this.zoom.textContent = `${Math.round(camera.zoom * 100)}%`;
    const { picture } = this.wipe;
    if (!picture || !this.picked) return this.key.replaceChildren();
    const ids = picture.ids ??= new Set([...picture.a.ids, ...picture.b.ids]);
    this.key.replaceChildren(...(look === "difference" ? verdictLegend(Boolean(picture.truth))
      : [...this.classes, { id: 255, name: "ignored", colour: "#d8d8d8" }].filter(({ id }) => ids.has(id)).map(({ name, colour }) => el("span", { class: "cp-key" }, el("i", { class: "cp-dot", style: { background: colour } }), name))));
  }

  #later() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#writeAddress(), REST);
  }

  #writeAddress() {
    if (!this.pair || this.wanted?.pick) return;
    const { split, look, outlines, place, hidden, opacity } = this.wipe;
    writeAddress({ ...this.pair, measure: this.measure.value, class: this.classId, sort: this.sort.value, pick: this.picked?.name, split: split === 0.5 ? null : split.toFixed(3), look: look === "slider" ? null : look, outlines: outlines ? "truth" : null, masks: hidden ? "hidden" : opacity === OPACITY ? null : opacity, camera: place });
  }

  #figure() {
    const images = [this.picked, ...(this.items ?? []).map(({ row }) => row)].filter(Boolean);
    openFigure({ images: [...new Set(images.map(({ name }) => name))].slice(0, 4), columns: ["image", ...(images.some(({ truth }) => truth) ? ["truth"] : []), ...(this.pair ? [this.pair.a, this.pair.b] : [])], sides: this.sides ?? [] });
  }

  #key(event) {
    if (!tabVisible("compare") || typing(event) || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const acts = {
      ArrowDown: () => this.step(1), ArrowUp: () => this.step(-1), "]": () => this.step(1), "[": () => this.step(-1),
      ArrowLeft: () => this.wipe.set({ split: this.wipe.split - 0.02 }), ArrowRight: () => this.wipe.set({ split: this.wipe.split + 0.02 }),
      d: () => this.wipe.set({ look: this.wipe.look === "slider" ? "difference" : "slider" }), t: () => { if (!this.truth.disabled) this.wipe.set({ outlines: !this.wipe.outlines }); },
      h: () => this.wipe.set({ hidden: !this.wipe.hidden }), "+": () => this.wipe.camera.zoomAt(1.5), "=": () => this.wipe.camera.zoomAt(1.5), "-": () => this.wipe.camera.zoomAt(1 / 1.5), 0: () => this.wipe.camera.reset(),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (event.key.startsWith("Arrow") && event.target.closest?.('[role="tab"], [role="slider"]'))) return;
    event.preventDefault();
    act();
  }
}
