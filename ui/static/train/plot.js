// The chart of a run with all that belongs to it: what is drawn, in which colours, and the values under the pointer.
import { el, formatNumber } from "../ui.js";
import { Chart } from "./chart.js";
import { figure, label, moment } from "./words.js";

const MAIN = "--tm-accent";
const LOOKS = { validation_accuracy: "--tr-line-1", map_miou: "--tr-line-2", validation_miou: "--tr-line-1", training_miou: "--tr-line-2", validation_max_f: "--tr-line-1", validation_s: "--tr-line-2" };
const PARTS = ["--tr-line-3", "--tr-line-4", "--tr-line-5", "--tr-line-6", "--tr-line-7"];
const LOSS = "total";

export class Plot {
  constructor() {
    this.hidden = new Set();
    this.cursor = null;
    this.metric = el("select", { class: "tm-select tr-metric", "aria-label": "What the curve shows", onchange: () => this.draw() });
    this.smooth = toggle("Smooth", "Running mean of the curve", true, () => this.draw());
    this.scale = toggle("Log", "Logarithmic scale", false, () => this.draw());
    this.legend = el("div", { class: "tr-legend", role: "group", "aria-label": "Which curves are shown" });
    this.readout = el("output", { class: "tr-readout" });
    this.canvas = el("canvas", { class: "tr-canvas", role: "img", "aria-label": "The curve of the chosen measure over the steps" });
    this.chart = new Chart(this.canvas, (found) => this.#read(found));
    this.tip = el("div", { class: "tr-tip", hidden: true });
    this.waiting = el("p", { class: "tr-waiting" });
    this.node = el("section", { class: "tr-curve" },
      el("header", {}, this.metric, this.readout, this.smooth, this.scale),
      this.legend,
      el("div", { class: "tr-plot" }, this.canvas, this.waiting, this.tip));
  }

  /** Takes the curves of a run; `waiting` is what to say while there are none. */
  show(curves, waiting) {
    this.curves = curves;
    const names = curves.names();
    this.waiting.textContent = names.length ? "" : waiting;
    const chosen = names.includes(this.metric.value) ? this.metric.value : names[0];
    if ([...this.metric.options].map((option) => option.value).join() !== names.join()) {
      this.metric.replaceChildren(...names.map((name) => el("option", { value: name }, label(name))));
      if (chosen) this.metric.value = chosen;
    }
    this.metric.hidden = this.smooth.hidden = this.scale.hidden = !names.length;
    this.draw();
  }

  /** Points a step out, or none. */
  mark(step) {
    if (step === this.cursor) return;
    this.cursor = step;
    this.draw();
  }

  draw() {
    if (!this.curves) return;
    const chosen = this.metric.value;
    const lines = this.#lines(chosen);
    this.#legend(lines);
    this.chart.show({
      lines: lines.filter((line, at) => at === 0 || !this.hidden.has(line.name)), breaks: this.curves.breaks, cursor: this.cursor,
      smooth: pressed(this.smooth) && chosen !== "learning_rate", log: pressed(this.scale),
    });
  }

  /** The chosen curve; with the loss come its parts and what the looks found. */
  #lines(chosen) {
    const line = (name, colour) => ({ name, colour, percent: name in LOOKS, ...this.curves.of(name) });
    if (chosen !== LOSS) return [line(chosen, LOOKS[chosen] ?? MAIN)];
    const parts = [...this.curves.parts].map((name, at) => line(name, PARTS[at % PARTS.length]));
    return [line(LOSS, MAIN), ...parts, ...this.curves.looks().map(({ name }) => line(name, LOOKS[name]))];
  }

  #legend(lines) {
    const key = lines.map((line) => `${line.name}${this.hidden.has(line.name)}`).join();
    this.legend.hidden = lines.length < 2;
    if (this.legend.dataset.key === key) return;
    this.legend.dataset.key = key;
    const focused = this.legend.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.legend.replaceChildren(...lines.map((line, at) => {
      const swatch = el("i", { class: line.percent ? "dashed" : null, style: { "--line": `var(${line.colour})` } });
      if (at === 0) return el("span", {}, swatch, label(line.name));
      return el("button", {
        type: "button", dataset: { name: line.name }, "aria-pressed": String(!this.hidden.has(line.name)), title: `Show or hide ${label(line.name).toLowerCase()}${line.percent ? ", read on the right" : ""}`,
        onclick: () => { if (!this.hidden.delete(line.name)) this.hidden.add(line.name); this.draw(); },
      }, swatch, label(line.name));
    }));
    if (focused) this.legend.querySelector(`[data-name="${focused}"]`)?.focus();
  }

  #read(found) {
    this.tip.hidden = !found || found.values.length < 2;
    if (!found) { this.readout.textContent = ""; return; }
    const [{ line, y, smooth }] = found.values;
    const mean = smooth === null ? "" : ` · mean ${figure(smooth)}`;
    this.readout.textContent = `step ${formatNumber(found.x)} · ${said(line, y)}${mean} · ${moment(found.time)}`;
    if (this.tip.hidden) return;
    this.tip.replaceChildren(el("b", {}, `step ${formatNumber(found.x)}`), ...found.values.map((value) =>
      el("div", {}, el("i", { class: value.line.percent ? "dashed" : null, style: { "--line": `var(${value.line.colour})` } }),
        el("span", {}, label(value.line.name), value.x === found.x ? null : el("span", { class: "tm-faint" }, ` at ${formatNumber(value.x)}`)),
        el("b", {}, said(value.line, value.y)))));
    const room = this.canvas.clientWidth - this.tip.offsetWidth - 16;
    this.tip.style.left = `${found.left + 16 > room ? Math.max(8, found.left - this.tip.offsetWidth - 12) : found.left + 12}px`;
  }
}

function said(line, value) {
  return line.percent ? `${figure(value)}%` : figure(value);
}

/** A button that stays pressed. */
function toggle(text, title, on, change) {
  const turn = ({ currentTarget: button }) => { button.setAttribute("aria-pressed", String(!pressed(button))); change(); };
  return el("button", { type: "button", class: "tm-button quiet small", title, "aria-pressed": String(on), onclick: turn }, text);
}

function pressed(button) {
  return button.getAttribute("aria-pressed") === "true";
}
