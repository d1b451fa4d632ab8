// Every image as a point, A's value across and B's up: above the diagonal B is better.
import { el } from "../ui.js";
import { SIDE_COLOURS } from "../viewer/colours.js";
import { IOU, shown, shownChange } from "./measures.js";

const LEFT = 34, BOTTOM = 28, TOP = 8, RIGHT = 8;
const REACH = 12;
const SAME = 0.001;

export class Scatter {
  /** `onPick(row)` hears which image was chosen. */
  constructor(onPick) {
    this.items = [];
    this.picked = null;
    this.canvas = el("canvas", { class: "cp-scatter", role: "img" });
    this.context = this.canvas.getContext("2d");
    this.tip = el("div", { class: "cp-tip", hidden: true });
    this.title = el("h3", {}, "By image");
    this.root = el("section", { class: "cp-part", "aria-label": "Every image as a point" }, this.title, el("div", { class: "cp-plot" }, this.canvas, this.tip));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    window.addEventListener("tagmask:theme", () => this.draw());
    this.canvas.addEventListener("pointermove", (event) => this.#hover(this.#nearest(event)));
    this.canvas.addEventListener("pointerleave", () => this.#hover(null));
    this.canvas.addEventListener("click", (event) => { const found = this.#nearest(event); if (found) onPick(found.row); });
  }

  /** Shows these images [{row, values, change}]; hidden where nothing measures both sides. */
  show(items, measure, of) {
    this.items = items.filter(({ values }) => values);
    this.measure = measure;
    this.root.hidden = !measure;
    this.title.textContent = measure === IOU ? `IoU by image${of ? `, ${of}` : ""}` : `Score ${measure} by image${of ? `, with ${of}` : ""}`;
    const better = this.items.filter(({ change }) => change > SAME).length;
    const worse = this.items.filter(({ change }) => change < -SAME).length;
    this.canvas.setAttribute("aria-label", `${this.items.length} images as points, A across and B up: B is better on ${better} and worse on ${worse}. The list of images has the same by name.`);
    this.draw();
  }

  mark(row) {
    this.picked = row?.id ?? null;
    this.draw();
  }

  draw() {
    this.due ??= requestAnimationFrame(() => { this.due = null; this.#paint(); });
  }

  #paint() {
    const { canvas, context } = this;
    const box = canvas.getBoundingClientRect();
    if (!box.width) return;
    const ratio = devicePixelRatio;
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(document.documentElement);
    const token = (name) => style.getPropertyValue(name).trim() || getComputedStyle(document.body).getPropertyValue(name).trim();
    const [line, faint, text] = ["--tm-line", "--tm-text-3", "--tm-text"].map(token);
    this.place = ([a, b]) => [LEFT + a * (box.width - LEFT - RIGHT), box.height - BOTTOM - b * (box.height - TOP - BOTTOM)];
    context.font = `11px ${getComputedStyle(canvas).fontFamily}`;
    context.fillStyle = faint;
    context.strokeStyle = line;
    for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
      const [x, y] = this.place([tick, tick]);
      context.beginPath();
      context.moveTo(LEFT, y); context.lineTo(box.width - RIGHT, y);
      context.moveTo(x, TOP); context.lineTo(x, box.height - BOTTOM);
      context.stroke();
      const said = this.measure === IOU ? String(100 * tick) : String(tick);
      context.textAlign = "right"; context.textBaseline = "middle"; context.fillText(said, LEFT - 6, y);
      context.textAlign = tick === 1 ? "right" : "center"; context.textBaseline = "top"; context.fillText(said, x, box.height - BOTTOM + 5);
    }
    context.font = `600 11px ${getComputedStyle(canvas).fontFamily}`;
    context.textAlign = "center"; context.textBaseline = "bottom"; context.fillStyle = text;
    context.fillText("A", LEFT + (box.width - LEFT - RIGHT) / 2, box.height);
    context.textAlign = "left"; context.textBaseline = "middle";
    context.fillText("B", 2, TOP + (box.height - TOP - BOTTOM) / 2);
    context.strokeStyle = faint; context.setLineDash([4, 4]);
    context.beginPath(); context.moveTo(...this.place([0, 0])); context.lineTo(...this.place([1, 1])); context.stroke();
    context.setLineDash([]);
    const radius = this.items.length > 2000 ? 1.6 : this.items.length > 400 ? 2.4 : 3.4;
    context.globalAlpha = this.items.length > 2000 ? 0.5 : 0.75;
    for (const { values, change } of this.items) {
      context.fillStyle = change > SAME ? SIDE_COLOURS.B : change < -SAME ? SIDE_COLOURS.A : faint;
      context.beginPath(); context.arc(...this.place(values), radius, 0, 7); context.fill();
    }
    context.globalAlpha = 1;
    const picked = this.items.find(({ row }) => row.id === this.picked);
    if (picked) {
      context.strokeStyle = text; context.lineWidth = 2;
      context.beginPath(); context.arc(...this.place(picked.values), radius + 4, 0, 7); context.stroke();
      context.lineWidth = 1;
    }
  }

  #nearest({ offsetX, offsetY }) {
    let best = null, least = REACH * REACH;
    for (const item of this.place ? this.items : []) {
      const [x, y] = this.place(item.values);
      const far = (x - offsetX) ** 2 + (y - offsetY) ** 2;
      if (far < least) [best, least] = [item, far];
    }
    return best;
  }

  #hover(found) {
    this.tip.hidden = !found;
    this.canvas.style.cursor = found ? "pointer" : "";
    if (!found) return;
    const [x, y] = this.place(found.values);
    this.tip.replaceChildren(el("b", {}, found.row.name), el("span", {}, `A ${shown(found.values[0], this.measure)} · B ${shown(found.values[1], this.measure)} · ${shownChange(found.change, this.measure)}`));
    const width = this.canvas.clientWidth;
    this.tip.style.left = `${Math.min(Math.max(x - this.tip.offsetWidth / 2, 0), width - this.tip.offsetWidth)}px`;
    this.tip.style.top = `${y > 60 ? y - this.tip.offsetHeight - 10 : y + 12}px`;
  }
}
