// The film: all stages in order, fitted to the room there is, or one enlarged above a strip of the rest.
import { el } from "../ui.js";
import { bandElements, counterpart } from "./bands.js";
import { Differences } from "./difference.js";
import { stageText } from "./words.js";

const GAP = 12;
const HEADING = 30;
// One line; captions that need more take it from the pictures.
const CAPTION = 24;
const MOST_FITS = 4;
const SMALLEST = 128;
// Beside another column, panels of about this width show most at once and still enough.
const COMPARED = 215;

export class Film {
  /** `shared` holds camera and size(); `sides()` are one or two; `onFocus(key or null)` is told of every change. */
  constructor(shared, { sides, onFocus }) {
    Object.assign(this, { shared, sides, onFocus });
    this.focused = null;
    this.focusedSide = "A";
    this.caption = CAPTION;
    this.hidden = new Set();
    this.differences = new Differences({ onFocus: (panel) => this.toggleFocus(panel) });
    this.heads = el("div", { class: "tmv-heads" });
    this.main = el("div", { class: "tmv-main" });
    this.grid = el("div", { class: "tmv-grid" });
    this.docks = el("div", { class: "tmv-docks" });
    this.root = el("div", { class: "tmv-film" }, this.heads, this.main, this.grid, this.docks);
    new ResizeObserver(() => this.layout()).observe(this.root);
    shared.camera.addEventListener("view", () => this.drawAll());
    shared.camera.addEventListener("point", () => { for (const panel of this.all()) panel.placeCross(); });
  }

  /** Every panel there is. */
  all() {
    return [...this.sides().flatMap((side) => [...side.panels.values()]), ...this.differences.panels.values()];
  }

  /** Takes over the panels as the sides have them now. */
  arrange() {
    const [a, b] = this.sides();
    this.differences.arrange(a, b);
    this.differences.updateAll(a, b);
    if (this.focused && !this.focusedPanel()) this.#setFocus(null);
    this.#place();
  }

  /** The enlarged panel, undefined where none is. */
  focusedPanel() {
    if (this.focused?.startsWith("difference:")) return this.differences.shown ? this.differences.panels.get(this.focused) : undefined;
    const sides = [...this.sides()].sort((one) => (one.letter === this.focusedSide ? -1 : 1));
    return sides.map((side) => side.panels.get(this.focused)).find((panel) => panel && !panel.absorbed);
  }

  /** Enlarges the panel of this key, or none. */
  focus(key, letter = "A") {
    const before = [this.focused, this.focusedSide];
    Object.assign(this, { focused: key, focusedSide: letter });
    if (key !== null && !this.focusedPanel()) {
      [this.focused, this.focusedSide] = before;
      return;
    }
    this.#setFocus(key);
    this.#place();
  }

  /** A click on a panel's title: enlarges it, or goes back to all. */
  toggleFocus(panel) {
    const on = panel === this.focusedPanel();
    this.focus(on ? null : panel.key, panel.side.letter);
  }

  /** Enlarges the next or the previous panel of the same side. */
  step(by) {
    const panel = this.focusedPanel();
    if (!panel) return;
    const row = panel.stage === "difference" ? [...this.differences.panels.values()] : this.#shownOf(panel.side);
    const next = row[(row.indexOf(panel) + by + row.length) % row.length];
    this.focus(next.key, next.side.letter);
  }

  /** Shows or hides a stage's panels. */
  toggle(stage, shown) {
    if (shown) this.hidden.delete(stage);
    else this.hidden.add(stage);
    if (this.focused && this.hidden.has(this.focusedPanel()?.stage)) this.#setFocus(null);
    this.#place();
  }

  /** Shows or hides the differences of two sides. */
  showDifferences(shown) {
    const [a, b] = this.sides();
    this.differences.shown = shown;
    if (b) this.differences.updateAll(a, b);
    if (this.focused && !this.focusedPanel()) this.#setFocus(null);
    this.#place();
  }

  drawAll() {
    for (const panel of this.all()) panel.draw();
  }

  recolourAll() {
    for (const panel of this.all()) panel.recolour();
  }

  /** Sizes the panels: as large as lets all be seen at once, and never too small to see anything. */
  layout() {
    const { width, height } = this.shared.size();
    const aspect = Math.min(Math.max(width / height, 0.5), 3.2);
    this.root.style.setProperty("--aspect", aspect);
    if (this.focused) return this.drawAll();
    // Until every caption is here, the room that the last ones took is kept for them.
    const waiting = this.sides().some((side) => [...side.panels.values()].some(({ due, absorbed }) => due && !absorbed));
    if (!waiting) this.caption = CAPTION;
    if (this.sides().length > 1) this.#layTwo(waiting);
    else this.#layAll(aspect, waiting);
    this.drawAll();
  }

  #lay({ columns, width }) {
    this.grid.style.setProperty("--columns", columns);
    this.grid.style.setProperty("--panel", `${Math.floor(width)}px`);
  }

  /** All panels of one side, smaller by what their captions need beyond a line. */
  #layAll(aspect, waiting) {
    this.grid.style.removeProperty("--caption");
    for (let turn = 0; turn < MOST_FITS; turn++) {
      const fitted = this.#fitAll(aspect);
      this.#lay(fitted);
      const over = this.grid.scrollHeight - this.grid.clientHeight;
      if (waiting || !fitted.fits || over <= 0) return;
      this.caption += Math.ceil(over / fitted.rows);
    }
  }

  /** Two columns: captions as high as the highest, so that both sides' rows stay level. */
  #layTwo(waiting) {
    this.#lay(this.#fitTwo());
    if (!waiting) {
      this.grid.style.removeProperty("--caption");
      this.caption = Math.max(CAPTION, ...this.all().map(({ caption }) => caption.offsetHeight));
    }
    this.grid.style.setProperty("--caption", `${this.caption}px`);
  }

  #fitAll(aspect) {
    const count = this.#shownOf(this.sides()[0]).length;
    const room = { width: this.grid.clientWidth, height: this.grid.clientHeight };
    let best = { columns: 1, rows: count, width: room.width, fits: false };
    for (let columns = 1; columns <= Math.max(count, 1); columns++) {
      const column = (room.width - GAP * (columns - 1)) / columns;
      if (column < SMALLEST) break;
      const rows = Math.ceil(count / columns);
      const tall = ((room.height - GAP * (rows - 1)) / rows - HEADING - this.caption) * aspect;
      // Captions of more than a line may take something from pictures that are small already.
      const fits = tall >= SMALLEST - (this.caption - CAPTION);
      const width = Math.min(column, tall);
      // What can be seen at once comes first, then size; where nothing fits, the most columns.
      if (!fits && !best.fits) best = { columns, rows, width: column, fits };
      else if (fits && (!best.fits || width > best.width)) best = { columns, rows, width, fits };
    }
    return best;
  }

  #fitTwo() {
    const half = (this.grid.clientWidth - 2 * GAP) / 2;
    const columns = Math.max(Math.round(half / COMPARED), 2);
    return { columns, width: (half - GAP * (columns - 1)) / columns };
  }

  #shownOf(side) {
    return [...side.panels.values()].filter((panel) => !panel.absorbed && !this.hidden.has(panel.stage));
  }

  #setFocus(key) {
    this.focused = key;
    this.onFocus(key);
  }

  #place() {
    const sides = this.sides();
    const panel = this.focused ? this.focusedPanel() : null;
    const two = sides.length > 1;
    this.root.classList.toggle("focused", Boolean(panel));
    this.root.classList.toggle("compare", two);
    const enlarged = panel ? this.#enlarged(panel, sides) : [];
    const rest = (side) => this.#shownOf(side).filter((each) => !enlarged.includes(each));
    const differences = two && this.differences.shown ? [...this.differences.panels.values()] : [];
    this.main.replaceChildren(...enlarged.map(({ root }) => root));
    if (!two) this.grid.replaceChildren(...rest(sides[0]).map(({ root }) => root));
    else if (panel) this.grid.replaceChildren(...sides.map((side) => el("div", { class: "tmv-strip", dataset: { side: side.letter } }, rest(side).map(({ root }) => root))));
    else this.grid.replaceChildren(...bandElements(sides, (side) => this.#shownOf(side), differences));
    for (const each of this.all()) each.title.setAttribute("aria-expanded", String(enlarged.includes(each)));
    this.layout();
  }

  /** What is enlarged: the panel, and beside another column what stands opposite of it. */
  #enlarged(panel, [a, b]) {
    if (!b) return [panel];
    if (panel.stage === "difference") return [a.panels.get(`${a.final}:${panel.tag}`), panel, b.panels.get(`${b.final}:${panel.tag}`)];
    return panel.side === a ? [panel, counterpart(panel, b)].filter(Boolean) : [counterpart(panel, a), panel].filter(Boolean);
  }
}

/** The menu that shows and hides stages: those of all sides, in order. */
export function stageMenu(film) {
  const stages = [...new Set(film.sides().flatMap((side) => side.table.map(({ name }) => name)))];
  const present = new Set(film.sides().flatMap((side) => [...side.panels.values()].map(({ stage }) => stage)));
  return stages.filter((stage) => present.has(stage)).map((stage) =>
    el("label", { class: "tmv-check", title: stageText(stage).about },
      el("input", { type: "checkbox", checked: !film.hidden.has(stage), onchange: (event) => film.toggle(stage, event.target.checked) }),
      stageText(stage).title));
}
