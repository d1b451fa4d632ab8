// The drawn mask: label ids at image resolution, and the shapes that are painted into it.
// Every act answers the box of pixels it may have changed, [left, top, right, bottom) or null.
import { History } from "./history.js";

export const BACKGROUND = 0;
export const IGNORE = 255;

export class Mask {
  /** `ids` are taken over, not copied. */
  constructor(width, height, ids) {
    Object.assign(this, { width, height, ids });
    this.history = new History(width, height, ids);
    // Set, only background and ignored pixels are painted over: other classes stay as they are.
    this.keepOthers = false;
  }

  at(x, y) {
    return x < 0 || y < 0 || x >= this.width || y >= this.height ? null : this.ids[y * this.width + x];
  }

  /** A straight piece of a stroke, `size` pixels wide with round ends, from one point to the next. */
  stroke([ax, ay], [bx, by], size, id) {
    const radius = size / 2;
    const rows = capsule([ax, ay], [bx, by], radius);
    return this.#rows(rows, id);
  }

  /** A polygon, by the even-odd rule; pixels whose centre is inside. */
  polygon(points, id) {
    return this.#rows(evenOdd(points, this.height), id);
  }

  /** Everything of one id that hangs together with a pixel, by its sides. */
  fill(x, y, id) {
    const { width, height, ids } = this;
    const from = this.at(x, y);
    if (from === null || from === id || (this.keepOthers && from !== BACKGROUND && from !== IGNORE)) return null;
    const box = [x, y, x + 1, y + 1];
    const waiting = [[x, y]];
    while (waiting.length) {
      const [cx, cy] = waiting.pop();
      const row = cy * width;
      if (ids[row + cx] !== from) continue;
      let left = cx;
      let right = cx + 1;
      while (left > 0 && ids[row + left - 1] === from) left -= 1;
      while (right < width && ids[row + right] === from) right += 1;
      this.history.touch(left, cy, right, cy + 1);
      ids.fill(id, row + left, row + right);
      box[0] = Math.min(box[0], left);
      box[1] = Math.min(box[1], cy);
      box[2] = Math.max(box[2], right);
      box[3] = Math.max(box[3], cy + 1);
      for (const ny of [cy - 1, cy + 1]) {
        if (ny < 0 || ny >= height) continue;
        for (let nx = left; nx < right; nx++) {
          if (ids[ny * width + nx] !== from) continue;
          waiting.push([nx, ny]);
          while (nx < right && ids[ny * width + nx] === from) nx += 1;
        }
      }
    }
    return box;
  }

  /** Lays a piece of labels in, {left, top, width, height, ids}. */
  lay({ left, top, width, height, ids }) {
    this.history.touch(left, top, left + width, top + height);
    for (let y = 0; y < height; y++) this.ids.set(ids.subarray(y * width, (y + 1) * width), (top + y) * this.width + left);
    return [left, top, left + width, top + height];
  }

  /** A copy of a box of it, as `lay` takes it. */
  piece(left, top, width, height) {
    const ids = new Uint8Array(width * height);
    for (let y = 0; y < height; y++) ids.set(this.ids.subarray((top + y) * this.width + left, (top + y) * this.width + left + width), y * width);
    return { left, top, width, height, ids };
  }

  /** How many pixels each id has, a number for each of the 256. */
  counts() {
    const counts = new Uint32Array(256);
    for (let i = 0; i < this.ids.length; i++) counts[this.ids[i]] += 1;
    return counts;
  }

  #rows({ top, spans }, id) {
    const { width, height, ids } = this;
    const box = [width, height, 0, 0];
    spans.forEach((row, i) => {
      const y = top + i;
      if (y < 0 || y >= height) return;
      for (const [from, to] of row) {
        const [left, right] = [Math.max(0, from), Math.min(width, to)];
        if (left >= right) continue;
        this.history.touch(left, y, right, y + 1);
        if (this.keepOthers && id !== BACKGROUND) this.#fillOpen(y * width + left, y * width + right, id);
        else ids.fill(id, y * width + left, y * width + right);
        box[0] = Math.min(box[0], left);
        box[1] = Math.min(box[1], y);
        box[2] = Math.max(box[2], right);
        box[3] = Math.max(box[3], y + 1);
      }
    });
    return box[0] < box[2] ? box : null;
  }

  #fillOpen(from, to, id) {
    for (let i = from; i < to; i++) if (this.ids[i] === BACKGROUND || this.ids[i] === IGNORE) this.ids[i] = id;
  }
}

/** The point that a brush of a size is centred on: a pixel's centre where the size is odd, else a corner. */
export function centred([x, y], size) {
  return size % 2 ? [Math.floor(x) + 0.5, Math.floor(y) + 0.5] : [Math.round(x), Math.round(y)];
}

/** Pixels (by their centres) within a radius of the line from a to b: {top, spans: [[[from, to)], ...]}, a row each. */
function capsule([ax, ay], [bx, by], radius) {
  const top = Math.ceil(Math.min(ay, by) - radius - 0.5);
  const bottom = Math.floor(Math.max(ay, by) + radius - 0.5);
  const length = Math.hypot(bx - ax, by - ay);
  const [nx, ny] = length ? [(-(by - ay) / length) * radius, ((bx - ax) / length) * radius] : [0, 0];
  const sides = [[ax + nx, ay + ny], [bx + nx, by + ny], [bx - nx, by - ny], [ax - nx, ay - ny]];
  const spans = [];
  for (let row = top; row <= bottom; row++) {
    const y = row + 0.5;
    let [low, high] = [Infinity, -Infinity];
    for (const [cx, cy] of [[ax, ay], [bx, by]]) {
      const half = radius * radius - (y - cy) * (y - cy);
      if (half < 0) continue;
      low = Math.min(low, cx - Math.sqrt(half));
      high = Math.max(high, cx + Math.sqrt(half));
    }
    // The shape is convex: between its leftmost and its rightmost point of a row all is inside.
    for (let i = 0; length && i < 4; i++) {
      const [[px, py], [qx, qy]] = [sides[i], sides[(i + 1) % 4]];
      if (py === qy || y < Math.min(py, qy) || y > Math.max(py, qy)) continue;
      const x = px + ((y - py) / (qy - py)) * (qx - px);
      low = Math.min(low, x);
      high = Math.max(high, x);
    }
    const from = Math.ceil(low - 0.5 - 1e-9);
    const to = Math.floor(high - 0.5 + 1e-9) + 1;
    spans.push(from < to ? [[from, to]] : []);
  }
  return { top, spans };
}

function evenOdd(points, height) {
  const ys = points.map(([, y]) => y);
  const top = Math.max(0, Math.ceil(Math.min(...ys) - 0.5));
  const bottom = Math.min(height - 1, Math.floor(Math.max(...ys) - 0.5));
  const spans = [];
  for (let row = top; row <= bottom; row++) {
    const y = row + 0.5;
    const crossings = [];
    points.forEach(([px, py], i) => {
      const [qx, qy] = points[(i + 1) % points.length];
      if (py <= y === qy <= y) return;
      crossings.push(px + ((y - py) / (qy - py)) * (qx - px));
    });
    crossings.sort((a, b) => a - b);
    const pairs = [];
    for (let i = 0; i + 1 < crossings.length; i += 2) pairs.push([Math.ceil(crossings[i] - 0.5), Math.ceil(crossings[i + 1] - 0.5)]);
    spans.push(pairs);
  }
  return { top, spans };
}
