// A line chart on a canvas: crisp axes, a readout under the pointer, smoothing, light and dark.
import { figure } from "./words.js";

const RING_ROOM = 16;
const MARGIN = { left: 56, right: 16, top: 12, bottom: 28 };

export class Chart {
  /** `onReadout(point | null)` hears of the point under the pointer: {x, y, smooth, mark, time}. */
  constructor(canvas, onReadout) {
    this.canvas = canvas;
    this.onReadout = onReadout;
    this.points = [];
    this.marks = [];
    this.breaks = [];
    this.smooth = true;
    this.log = false;
    this.pointer = null;
    this.due = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
    window.addEventListener("tagmask:theme", () => this.draw());
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.#point(null));
  }

  /** points: [{x, y, time}] in the order of x; marks: the same, drawn as rings; breaks: x of resumes. */
  show({ points, marks = [], breaks = [], smooth = true, log = false }) {
    Object.assign(this, { points, marks, breaks, smooth, log });
    this.draw();
  }

  draw() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => { this.due = false; this.#paint(); });
  }

  #point(x) {
    this.pointer = x;
    this.draw();
  }

  #paint() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const colours = palette(canvas);
    const known = this.points.filter((point) => Number.isFinite(point.y) && (!this.log || point.y > 0));
    const marks = this.marks.filter((point) => Number.isFinite(point.y) && (!this.log || point.y > 0));
    const all = known.length ? known.concat(marks) : marks;
    if (!all.length) { this.onReadout(null); return; }
    const area = { left: MARGIN.left, top: MARGIN.top, right: width - MARGIN.right, bottom: height - MARGIN.bottom };
    const xs = span(all.map((point) => point.x));
    const yValues = all.map((point) => (this.log ? Math.log10(point.y) : point.y));
    const ys = padded(span(yValues));
    const toX = (x) => area.left + ((x - xs[0]) / (xs[1] - xs[0])) * (area.right - area.left);
    const toY = (y) => area.bottom - (((this.log ? Math.log10(y) : y) - ys[0]) / (ys[1] - ys[0])) * (area.bottom - area.top);
    this.#axes(pen, area, xs, ys, toX, colours);
    pen.save();
    pen.beginPath();
    pen.rect(area.left, area.top - 4, area.right - area.left + 8, area.bottom - area.top + 8);
    pen.clip();
    for (const x of this.breaks) line(pen, [[toX(x), area.top], [toX(x), area.bottom]], colours.strong, 1, [3, 3]);
    const smoothed = this.smooth && known.length > 9 ? runningMean(known, this.log) : null;
    const path = (values) => thinned(known.map((point, index) => [toX(point.x), toY(values ? values[index] : point.y)]));
    line(pen, path(null), smoothed ? colours.faint : colours.accent, smoothed ? 1 : 1.5);
    if (smoothed) line(pen, path(smoothed), colours.accent, 1.75);
    const every = Math.ceil((RING_ROOM * marks.length) / (area.right - area.left));
    for (let at = marks.length - 1; at >= 0; at -= every) ring(pen, toX(marks[at].x), toY(marks[at].y), 3, colours);
    this.#readout(pen, area, known, smoothed, marks, toX, toY, colours);
    pen.restore();
  }

  #axes(pen, area, xs, ys, toX, colours) {
    pen.font = `11px ${colours.font}`;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    const levels = this.log ? decades(ys) : ticks(ys[0], ys[1], Math.max(2, (area.bottom - area.top) / 36));
    const step = levels.length > 1 ? levels[1] - levels[0] : 0;
    for (const tick of levels) {
      const y = Math.round(area.bottom - ((tick - ys[0]) / (ys[1] - ys[0])) * (area.bottom - area.top)) + 0.5;
      line(pen, [[area.left, y], [area.right, y]], colours.line, 1);
      pen.fillStyle = colours.text;
      pen.fillText(this.log ? figure(clean(10 ** tick)) : level(clean(tick), step), area.left - 8, y);
    }
    pen.textBaseline = "top";
    pen.textAlign = "center";
    for (const tick of ticks(xs[0], xs[1], Math.max(2, (area.right - area.left) / 110))) {
      if (!Number.isInteger(clean(tick))) continue;
      const x = Math.round(toX(tick)) + 0.5;
      line(pen, [[x, area.bottom], [x, area.bottom + 4]], colours.strong, 1);
      pen.fillStyle = colours.text;
      pen.fillText(clean(tick).toLocaleString("en-US"), x, area.bottom + 8);
    }
    line(pen, [[area.left, area.bottom + 0.5], [area.right, area.bottom + 0.5]], colours.strong, 1);
  }

  #readout(pen, area, known, smoothed, marks, toX, toY, colours) {
    if (this.pointer === null) { this.onReadout(null); return; }
    const rows = known.length ? known : marks;
    let best = 0;
    for (let index = 1; index < rows.length; index++) {
      if (Math.abs(toX(rows[index].x) - this.pointer) < Math.abs(toX(rows[best].x) - this.pointer)) best = index;
    }
    const point = rows[best];
    const x = Math.round(toX(point.x)) + 0.5;
    line(pen, [[x, area.top], [x, area.bottom]], colours.strong, 1);
    ring(pen, toX(point.x), toY(smoothed ? smoothed[best] : point.y), 4, colours, true);
    this.onReadout({ ...point, smooth: smoothed ? smoothed[best] : null });
  }
}

function palette(canvas) {
  const style = getComputedStyle(canvas);
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    accent: value("--tm-accent"), faint: value("--tr-raw"), text: value("--tm-text-3"),
    line: value("--tm-line"), strong: value("--tm-line-strong"), surface: value("--tm-surface"), font: value("--tm-font"),
  };
}

function line(pen, path, colour, width, dash = []) {
  if (path.length < 2) return;
  pen.beginPath();
  for (const [index, [x, y]] of path.entries()) (index ? pen.lineTo(x, y) : pen.moveTo(x, y));
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.lineJoin = "round";
  pen.setLineDash(dash);
  pen.stroke();
  pen.setLineDash([]);
}

function ring(pen, x, y, radius, colours, full = false) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = full ? colours.accent : colours.surface;
  pen.fill();
  pen.strokeStyle = full ? colours.surface : colours.accent;
  pen.lineWidth = 1.5;
  pen.stroke();
}

/** The mean of a twelfth of the points around each, so that it lags behind nothing. */
function runningMean(points, log) {
  const reach = Math.max(2, Math.round(points.length / 24));
  const sums = [0];
  for (const { y } of points) sums.push(sums.at(-1) + (log ? Math.log10(y) : y));
  return points.map((_, index) => {
    const near = Math.min(reach, index, points.length - 1 - index);
    const mean = (sums[index + near + 1] - sums[index - near]) / (2 * near + 1);
    return log ? 10 ** mean : mean;
  });
}

/** At most the lowest and highest point of each pixel column, in order. */
function thinned(path) {
  if (path.length < 4000) return path;
  const kept = [];
  let column = [];
  const flush = () => {
    if (!column.length) return;
    let low = column[0];
    let high = column[0];
    for (const point of column) {
      if (point[1] < low[1]) low = point;
      if (point[1] > high[1]) high = point;
    }
    kept.push(...(low[0] <= high[0] ? [low, high] : [high, low]));
    column = [];
  };
  for (const point of path) {
    if (column.length && Math.floor(point[0]) !== Math.floor(column[0][0])) flush();
    column.push(point);
  }
  flush();
  return kept;
}

function span(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
  return low < high ? [low, high] : [low - 0.5, high + 0.5];
}

function padded([low, high]) {
  const room = (high - low) * 0.06;
  return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
}

function ticks(low, high, count) {
  const raw = (high - low) / count;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * size).find((value) => value >= raw);
  const found = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-9; tick += step) found.push(tick);
  return found;
}

function decades([low, high]) {
  const found = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const factor of high - low > 2 ? [1] : [1, 2, 5]) {
      const tick = power + Math.log10(factor);
      if (tick >= low && tick <= high) found.push(tick);
    }
  }
  return found;
}

/** A tick with as many decimals as its step has: 0.45, 0.50; 1.0e-5 where that would be long. */
function level(value, step) {
  if (value !== 0 && step && step < 1e-5) return figure(value);
  const decimals = step ? Math.max(0, String(clean(step)).split(".")[1]?.length ?? 0) : 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** 0.30000000000000004 -> 0.3 */
function clean(value) {
  return Number(value.toPrecision(12));
}
