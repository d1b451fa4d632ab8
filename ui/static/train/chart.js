// A line chart on a canvas: crisp axes, values under the pointer, smoothing, light and dark.
import { figure } from "./words.js";

const RING_ROOM = 16;
const MARGIN = { left: 56, right: 16, top: 12, bottom: 28 };
const RIGHT_AXIS = 48;

export class Chart {
  /** `onReadout(found | null)` hears what is under the pointer: {x, time, left, values: [{line, x, y, smooth}]}. */
  constructor(canvas, onReadout) {
    this.canvas = canvas;
    this.onReadout = onReadout;
    this.lines = [];
    this.breaks = [];
    this.smooth = true;
    this.log = false;
    this.cursor = null;
    this.pointer = null;
    this.due = false;
    new ResizeObserver(() => this.draw()).observe(canvas);
    window.addEventListener("tagmask:theme", () => this.draw());
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.#point(null));
  }

  /**
   * lines: [{name, colour (a CSS variable), points, marks, percent}], the first being the one that is read; points and
   * marks: [{x, y, time}] in the order of x, marks drawn as rings; `percent` lines have the right axis and values in
   * 0..100. breaks: x of resumes; cursor: an x to point out, or null.
   */
  show({ lines, breaks = [], smooth = true, log = false, cursor = null }) {
    Object.assign(this, { lines, breaks, smooth, log, cursor });
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
    const lines = this.lines.map((line) => this.#drawable(line, colours)).filter((line) => line.all.length);
    if (!lines.length) { this.onReadout(null); return; }
    const left = lines.filter((line) => !line.percent);
    const right = lines.filter((line) => line.percent);
    const area = { left: MARGIN.left, top: MARGIN.top, right: width - (right.length ? RIGHT_AXIS : MARGIN.right), bottom: height - MARGIN.bottom };
    const xs = span(lines.flatMap((line) => line.all.map((point) => point.x)));
    const heightOf = (y) => (this.log ? Math.log10(y) : y);
    const ys = left.length ? padded(span(left.flatMap((line) => line.all.map((point) => heightOf(point.y))))) : null;
    const percents = right.length ? whole(span(right.flatMap((line) => line.all.map((point) => point.y)))) : null;
    const toX = (x) => area.left + ((x - xs[0]) / (xs[1] - xs[0])) * (area.right - area.left);
    const onto = ([low, high], value) => area.bottom - ((value - low) / (high - low)) * (area.bottom - area.top);
    for (const line of lines) line.toY = line.percent ? (y) => onto(percents, y) : (y) => onto(ys, heightOf(y));
    this.#axes(pen, area, xs, ys, percents, toX, colours);
    pen.save();
    pen.beginPath();
    pen.rect(area.left - 4, area.top - 4, area.right - area.left + 8, area.bottom - area.top + 8);
    pen.clip();
    for (const x of this.breaks) stroke(pen, [[toX(x), area.top], [toX(x), area.bottom]], colours.strong, 1, [3, 3]);
    if (this.cursor !== null) stroke(pen, [[toX(this.cursor), area.top], [toX(this.cursor), area.bottom]], colours.text, 1, [2, 2]);
    // The one that is read is drawn last, over the others.
    for (const line of lines.toReversed()) this.#line(pen, line, area, toX, colours, line === lines[0]);
    this.#readout(pen, lines, area, toX, colours);
    pen.restore();
  }

  /** A line with what of it can be drawn, and its running mean. */
  #drawable(line, colours) {
    const fits = (point) => Number.isFinite(point.y) && (!this.log || line.percent || point.y > 0);
    const known = line.points.filter(fits);
    const marks = (line.marks ?? []).filter(fits);
    const smoothed = this.smooth && !line.percent && known.length > 9 ? runningMean(known, this.log) : null;
    return { ...line, ink: colours.of(line.colour), known, marks, smoothed, all: known.length ? known.concat(marks) : marks };
  }

  #line(pen, { known, marks, smoothed, ink, percent, toY }, area, toX, colours, first) {
    const path = (values) => thinned(known.map((point, index) => [toX(point.x), toY(values ? values[index] : point.y)]));
    if (first && smoothed) stroke(pen, path(null), colours.faint, 1);
    stroke(pen, path(smoothed), ink, first && smoothed ? 1.75 : 1.5, percent ? [5, 3] : []);
    const rings = percent || known.length === 1 ? known.concat(marks) : first ? marks : [];
    const every = Math.ceil((RING_ROOM * rings.length) / (area.right - area.left));
    for (let at = rings.length - 1; at >= 0; at -= every) ring(pen, toX(rings[at].x), toY(rings[at].y), percent ? 2.5 : 3, ink, colours.surface);
  }

  #axes(pen, area, xs, ys, percents, toX, colours) {
    pen.font = `11px ${colours.font}`;
    pen.textBaseline = "middle";
    const rows = Math.max(2, (area.bottom - area.top) / 36);
    const at = ([low, high], tick) => Math.round(area.bottom - ((tick - low) / (high - low)) * (area.bottom - area.top)) + 0.5;
    pen.textAlign = "right";
    const levels = ys === null ? [] : this.log ? decades(ys) : ticks(ys[0], ys[1], rows);
    const step = levels.length > 1 ? levels[1] - levels[0] : 0;
    for (const tick of levels) {
      stroke(pen, [[area.left, at(ys, tick)], [area.right, at(ys, tick)]], colours.line, 1);
      pen.fillStyle = colours.text;
      pen.fillText(this.log ? figure(clean(10 ** tick)) : level(clean(tick), step), area.left - 8, at(ys, tick));
    }
    pen.textAlign = "left";
    for (const tick of percents ? ticks(percents[0], percents[1], rows) : []) {
      if (ys === null) stroke(pen, [[area.left, at(percents, tick)], [area.right, at(percents, tick)]], colours.line, 1);
      else stroke(pen, [[area.right, at(percents, tick)], [area.right + 4, at(percents, tick)]], colours.strong, 1);
      pen.fillStyle = colours.text;
      pen.fillText(`${Number(clean(tick).toFixed(1))}%`, area.right + 8, at(percents, tick));
    }
    pen.textBaseline = "top";
    pen.textAlign = "center";
    for (const tick of ticks(xs[0], xs[1], Math.max(2, (area.right - area.left) / 110))) {
      if (!Number.isInteger(clean(tick))) continue;
      const x = Math.round(toX(tick)) + 0.5;
      stroke(pen, [[x, area.bottom], [x, area.bottom + 4]], colours.strong, 1);
      pen.fillStyle = colours.text;
      pen.fillText(clean(tick).toLocaleString("en-US"), x, area.bottom + 8);
    }
    stroke(pen, [[area.left, area.bottom + 0.5], [area.right, area.bottom + 0.5]], colours.strong, 1);
  }

  #readout(pen, lines, area, toX, colours) {
    if (this.pointer === null) { this.onReadout(null); return; }
    const nearest = (points, pixel) => points.reduce((best, point, index) => (Math.abs(toX(point.x) - pixel) < Math.abs(toX(points[best].x) - pixel) ? index : best), 0);
    const rows = (line) => (line.known.length ? line.known : line.marks);
    const read = rows(lines[0])[nearest(rows(lines[0]), this.pointer)];
    const x = Math.round(toX(read.x)) + 0.5;
    stroke(pen, [[x, area.top], [x, area.bottom]], colours.strong, 1);
    const values = lines.map((line) => {
      const at = nearest(rows(line), toX(read.x));
      const point = rows(line)[at];
      const smooth = line.smoothed ? line.smoothed[at] : null;
      ring(pen, toX(point.x), line.toY(smooth ?? point.y), 4, colours.surface, line.ink);
      return { line, ...point, smooth };
    });
    this.onReadout({ x: read.x, time: read.time, left: toX(read.x), values });
  }
}

function palette(canvas) {
  const style = getComputedStyle(canvas);
  const value = (name) => style.getPropertyValue(name).trim();
  return {
    faint: value("--tr-raw"), text: value("--tm-text-3"),
    line: value("--tm-line"), strong: value("--tm-line-strong"), surface: value("--tm-surface"), font: value("--tm-font"), of: value,
  };
}

function stroke(pen, path, colour, width, dash = []) {
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

function ring(pen, x, y, radius, edge, inside) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = inside;
  pen.fill();
  pen.strokeStyle = edge;
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

/** A range of per cent, opened to tens. */
function whole([low, high]) {
  return [Math.max(0, Math.floor(low / 10) * 10 - (low % 10 < 2 ? 10 : 0)), Math.min(100, Math.ceil((high + 1) / 10) * 10)];
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
