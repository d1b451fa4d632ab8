// A score over the candidates under the filter: bars, and tau as a line that is dragged or moved by arrow keys.
import { el, formatNumber, getJSON, toast } from "../ui.js";
import { asked } from "./address.js";
import { readTau, SCORES, TAU, writeTau } from "./tau.js";

const STEP = 0.01;
const SETTLED = 250;

export class Histogram {
  /** `filters` are the queue's; tau and the score are written into them. `onTau()` hears that either changed and rests now. */
  constructor({ filters, onTau, onStrip }) {
    Object.assign(this, { filters, onTau });
    const { by, tau } = readTau();
    Object.assign(filters, { by: by ?? "SF", tau: tau ?? TAU });
    this.chosen = by !== null;
    this.counts = [];
    this.without = 0;
    this.asked = 0;
    this.by = el("select", { class: "tm-select", "aria-label": "Score of the histogram", onchange: () => this.#choose() });
    this.bars = el("svg:svg", { viewBox: "0 0 100 40", preserveAspectRatio: "none", "aria-hidden": "true" }, el("svg:path", { class: "below" }), el("svg:path", { class: "above" }));
    this.line = el("div", { class: "cu-tau", role: "slider", tabindex: "0", "aria-label": "tau", "aria-valuemin": "0", "aria-valuemax": "1", onkeydown: (event) => this.#key(event) }, el("i", {}));
    this.plot = el("div", { class: "cu-hist-plot", title: "Drag the line, or use the arrow keys on it", onpointerdown: (event) => this.#drag(event) }, this.bars, this.line);
    this.axis = el("div", { class: "cu-hist-axis", "aria-hidden": "true" }, ["0", "0.5", "1"].map((value) => el("span", {}, value)));
    this.sides = el("div", { class: "cu-hist-sides" });
    this.note = el("p", { class: "cu-hist-note", hidden: true });
    this.strip = el("button", { type: "button", class: "tm-button small", "aria-pressed": "false", title: "The masks whose scores are nearest to tau, on either side of it", onclick: () => onStrip() }, "Masks at the line");
    this.value = el("output", { class: "cu-hist-tau" });
    this.element = el("section", { class: "cu-hist", "aria-label": "Scores of the candidates under these filters", hidden: true },
      el("header", {}, this.by, this.value), this.plot, this.axis, this.sides, el("div", { class: "cu-hist-foot" }, this.strip, this.note));
    this.#place();
  }

  get tau() {
    return this.filters.tau;
  }

  /** Takes which scores are known; without any there is nothing to show. */
  update({ scores }) {
    const known = SCORES.filter((name) => scores.includes(name));
    this.element.hidden = !known.length;
    if (!this.chosen && known.length && !known.includes(this.filters.by)) this.filters.by = known[0];
    const shown = known.includes(this.filters.by) ? known : [this.filters.by, ...known];
    this.by.replaceChildren(...shown.map((name) => el("option", { value: name }, name)));
    this.by.value = this.filters.by;
  }

  /** Counts anew, a little later: after a decision, or while a filter is typed. */
  soon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.refresh(), SETTLED);
  }

  /** Counts the candidates under the filters. */
  async refresh() {
    clearTimeout(this.waiting);
    if (this.element.hidden) return;
    const turn = ++this.asked;
    const { by } = this.filters;
    try {
      const found = await getJSON("curate/histogram", { ...asked(this.filters), by });
      if (turn !== this.asked) return;
      this.counts = found.counts;
      this.without = found.without;
      this.#place();
    } catch (error) {
      if (turn === this.asked) toast(error.message, "bad");
    }
  }

  #choose() {
    this.filters.by = this.by.value;
    this.chosen = true;
    this.refresh();
    this.#rested();
  }

  #set(tau) {
    const next = Math.min(1, Math.max(0, Math.round(tau * 100) / 100));
    if (next === this.tau) return;
    this.filters.tau = next;
    this.#place();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#rested(), SETTLED);
  }

  #rested() {
    clearTimeout(this.resting);
    this.resting = null;
    writeTau(this.filters);
    this.onTau();
  }

  #key(event) {
    const by = { ArrowRight: STEP, ArrowUp: STEP, ArrowLeft: -STEP, ArrowDown: -STEP, PageUp: 10 * STEP, PageDown: -10 * STEP, Home: -1, End: 1 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    // The arrows would go to the next candidate as well.
    event.stopPropagation();
    event.preventDefault();
    this.#set(this.tau + by);
  }

  #drag(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const box = this.plot.getBoundingClientRect();
    const move = (next) => this.#set((next.clientX - box.left) / box.width);
    const done = () => {
      this.plot.removeEventListener("pointermove", move);
      if (this.resting) this.#rested();
    };
    this.plot.setPointerCapture(event.pointerId);
    this.plot.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) this.plot.addEventListener(end, done, { once: true });
    this.line.focus();
    move(event);
  }

  /** Draws the bars, the line, and the counts on its two sides. */
  #place() {
    const { counts, tau, filters: { by } } = this;
    const at = Math.round(tau * 100);
    const most = Math.max(1, ...counts);
    const path = (from, to) => counts.slice(from, to).map((count, i) => {
      if (!count) return "";
      const height = Math.max(0.6, (38 * count) / most);
      return `M${from + i} 40V${(40 - height).toFixed(2)}h1V40Z`;
    }).join("");
    const [below, above] = this.bars.children;
    below.setAttribute("d", path(0, at));
    above.setAttribute("d", path(at, counts.length));
    const sum = (some) => some.reduce((total, count) => total + count, 0);
    const [under, over] = [sum(counts.slice(0, at)), sum(counts.slice(at))];
    this.line.style.left = `${100 * tau}%`;
    this.line.setAttribute("aria-valuenow", tau.toFixed(2));
    this.line.setAttribute("aria-valuetext", `tau ${tau.toFixed(2)} of ${by}: ${under} below, ${over} from it up`);
    this.value.textContent = `tau ${tau.toFixed(2)}`;
    this.sides.replaceChildren(
      el("span", { title: `Candidates under these filters with ${by} below ${tau.toFixed(2)}` }, el("b", {}, formatNumber(under)), " below"),
      el("span", { title: `Candidates under these filters with ${by} of at least ${tau.toFixed(2)}` }, el("b", {}, formatNumber(over)), " from tau up"));
    const none = !under && !over;
    this.note.hidden = !this.without;
    this.note.textContent = none ? `None of these has ${by}.` : `${formatNumber(this.without)} without ${by}`;
  }
}
