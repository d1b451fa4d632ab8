// The film: all stages in order, fitted to the room there is, or one enlarged above a strip of the rest.
import { el } from "../ui.js";
import { Panel } from "./panel.js";
import { STAGE_TEXT } from "./words.js";

const GAP = 12;
const HEADING = 30;
const CAPTION = 24;
const SMALLEST = 128;

export class Film {
  /** `shared` as Panel takes it; `onFocus(key or null)` is told of every change. */
  constructor(shared, { onFocus }) {
    this.shared = shared;
    this.onFocus = onFocus;
    this.panels = new Map();
    this.focused = null;
    this.hidden = new Set();
    this.main = el("div", { class: "tmv-main" });
    this.grid = el("div", { class: "tmv-grid" });
    this.root = el("div", { class: "tmv-film" }, this.main, this.grid);
    new ResizeObserver(() => this.layout()).observe(this.root);
    shared.camera.addEventListener("view", () => this.drawAll());
    shared.camera.addEventListener("point", () => { for (const panel of this.panels.values()) panel.placeCross(); });
  }

  /** Makes the panels of these stages; `camTags` have a CAM each. Panels that stay keep their picture. */
  arrange(stages, camTags, { keep = false } = {}) {
    const wanted = stages.flatMap((stage) =>
      stage === "cam" && camTags.length ? camTags.map((tag) => [`cam:${tag}`, stage, tag]) : [[stage, stage, null]],
    );
    const old = this.panels;
    this.panels = new Map(
      wanted.map(([key, stage, tag]) => [
        key,
        (keep && old.get(key)) || new Panel(key, stage, tag, this.shared, { onFocus: (panel) => this.focus(this.focused === panel.key ? null : panel.key) }),
      ]),
    );
    if (this.focused && !this.panels.has(this.focused)) this.#setFocus(null);
    this.#place();
  }

  /** Gives a frame to its panel. */
  receive(header, values) {
    const panel = this.panels.get(header.tag && header.stage === "cam" ? `cam:${header.tag}` : header.stage);
    panel?.receive(header, values);
  }

  /** Marks the panels of these stages as being made. */
  expect(stages) {
    for (const panel of this.panels.values()) if (stages.includes(panel.stage)) panel.expect();
  }

  /** Nothing more will come: what is missing stays blank instead of promising. */
  stopWaiting() {
    for (const panel of this.panels.values()) panel.picture.classList.remove("tm-skeleton");
  }

  /** Enlarges a panel, or none. */
  focus(key) {
    if (key !== null && !this.panels.has(key)) return;
    this.#setFocus(key);
    this.#place();
  }

  /** Enlarges the next or the previous panel. */
  step(by) {
    const keys = this.#shown().map((panel) => panel.key);
    const at = keys.indexOf(this.focused);
    if (at >= 0) this.focus(keys[(at + by + keys.length) % keys.length]);
  }

  /** Shows or hides a stage's panels. */
  toggle(stage, shown) {
    if (shown) this.hidden.delete(stage);
    else this.hidden.add(stage);
    if (this.focused && this.hidden.has(this.panels.get(this.focused)?.stage)) this.#setFocus(null);
    this.#place();
  }

  drawAll() {
    for (const panel of this.panels.values()) panel.draw();
  }

  recolourAll() {
    for (const panel of this.panels.values()) panel.recolour();
  }

  /** Sizes the panels: as large as lets all be seen at once, and never too small to see anything. */
  layout() {
    const shown = this.#shown();
    const { width, height } = this.shared.size();
    const aspect = Math.min(Math.max(width / height, 0.5), 3.2);
    this.root.style.setProperty("--aspect", aspect);
    if (this.focused) return this.drawAll();
    const room = { width: this.grid.clientWidth, height: this.root.clientHeight };
    let best = { columns: 1, width: room.width, fits: false };
    for (let columns = 1; columns <= Math.max(shown.length, 1); columns++) {
      const column = (room.width - GAP * (columns - 1)) / columns;
      if (column < SMALLEST) break;
      const rows = Math.ceil(shown.length / columns);
      const tall = ((room.height - GAP * (rows - 1)) / rows - HEADING - CAPTION) * aspect;
      const fits = tall >= SMALLEST;
      const width = Math.min(column, tall);
      // What can be seen at once comes first, then size; where nothing fits, the most columns.
      if (!fits && !best.fits) best = { columns, width: column, fits };
      else if (fits && (!best.fits || width > best.width)) best = { columns, width, fits };
    }
    this.grid.style.setProperty("--columns", best.columns);
    this.grid.style.setProperty("--panel", `${Math.floor(best.width)}px`);
    this.drawAll();
  }

  #shown() {
    return [...this.panels.values()].filter((panel) => !this.hidden.has(panel.stage));
  }

  #setFocus(key) {
    this.focused = key;
    this.onFocus(key);
  }

  #place() {
    const shown = this.#shown();
    const focused = this.focused ? this.panels.get(this.focused) : null;
    this.root.classList.toggle("focused", Boolean(focused));
    this.main.replaceChildren(...(focused ? [focused.root] : []));
    this.grid.replaceChildren(...shown.filter((panel) => panel !== focused).map((panel) => panel.root));
    for (const panel of this.panels.values()) panel.title.setAttribute("aria-expanded", String(panel === focused));
    this.layout();
  }
}

/** The menu that shows and hides stages. */
export function stageMenu(film, stages) {
  const boxes = stages.map((stage) =>
    el("label", { class: "tmv-check", title: STAGE_TEXT[stage].about },
      el("input", { type: "checkbox", checked: !film.hidden.has(stage), onchange: (event) => film.toggle(stage, event.target.checked) }),
      el("span", { class: "tmv-step" }, STAGE_TEXT[stage].step), STAGE_TEXT[stage].title),
  );
  return el("div", { class: "tmv-menu" }, boxes);
}
