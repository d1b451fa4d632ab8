// What is on the screen: the photograph below, the mask above it, each on a canvas of the screen's pixels.
// The mask is coloured straight from its ids, so a stroke costs what its own pixels cost, whatever the image's size.
import { IGNORE } from "./mask.js";
import { Camera } from "./camera.js";

const SETTLED_MS = 120;
// Packed as the canvas has them, alpha first: a line on dark and on light.
const LIGHT = 0xffffffff;
const DARK = 0xff202020;

export class Surface {
  constructor(photo, layer) {
    this.photo = photo;
    this.layer = layer;
    this.below = photo.getContext("2d");
    this.above = layer.getContext("2d");
    this.view = { hidden: false, outline: false, opacity: 0.55 };
    this.camera = new Camera();
    this.preview = null;
    this.waiting = null;
    this.dirty = null;
    this.moved = false;
    this.stopped = false;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(photo);
  }

  /** Shows a photograph and its mask, all of it; `colours` are 256 packed ones. */
  show(image, mask, colours) {
    Object.assign(this, { image, mask, colours });
    this.camera.image = [mask.width, mask.height];
    this.camera.fit();
    this.redraw();
  }

  close() {
    this.stopped = true;
    this.observer.disconnect();
    clearTimeout(this.settling);
    cancelAnimationFrame(this.waiting);
  }

  set(view) {
    Object.assign(this.view, view);
    this.layer.style.opacity = this.view.outline ? 1 : this.view.opacity;
    this.layer.style.visibility = this.view.hidden ? "hidden" : "visible";
    this.redraw();
  }

  /** Everything anew with the next frame: the camera moved, or the whole mask changed. */
  redraw() {
    this.moved = true;
    this.#schedule();
  }

  /** A box of the mask changed; it is painted with the next frame. */
  touch(box) {
    if (!box) return;
    this.dirty = this.dirty ? united(this.dirty, box) : box;
    this.#schedule();
  }

  /** The photograph's point under a place on the page, in its pixels. */
  point(clientX, clientY) {
    const box = this.bounds;
    return this.camera.toImage((clientX - box.left) * devicePixelRatio, (clientY - box.top) * devicePixelRatio);
  }

  /** Where the canvas is on the page; read once, for a stroke asks hundreds of times. */
  get bounds() {
    this.box ??= this.photo.getBoundingClientRect();
    return this.box;
  }

  resize() {
    this.box = null;
    const { width: w, height: h } = this.bounds;
    const [width, height] = [Math.round(w * devicePixelRatio), Math.round(h * devicePixelRatio)];
    if (!width || !height || (width === this.photo.width && height === this.photo.height)) return;
    for (const canvas of [this.photo, this.layer]) Object.assign(canvas, { width, height });
    this.pixels = this.above.createImageData(width, height);
    this.packed = new Uint32Array(this.pixels.data.buffer);
    this.camera.screen = [width, height];
    this.moved = true;
    if (this.mask) this.paint();
  }

  #schedule() {
    if (this.stopped) return;
    this.waiting ??= requestAnimationFrame(() => this.paint());
  }

  /** Paints what waits, now. */
  paint() {
    this.waiting = null;
    if (!this.mask || !this.packed) return;
    const { moved, dirty } = this;
    [this.moved, this.dirty] = [false, null];
    if (moved) {
      this.#drawPhoto("low");
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.#drawPhoto("high"), SETTLED_MS);
      this.#colour(0, 0, this.layer.width, this.layer.height);
      this.above.putImageData(this.pixels, 0, 0);
      this.onMoved?.();
    } else if (dirty) {
      const [left, top, right, bottom] = this.#onScreen(dirty);
      if (left >= right || top >= bottom) return;
      this.#colour(left, top, right, bottom);
      this.above.putImageData(this.pixels, 0, 0, left, top, right - left, bottom - top);
    }
  }

  #drawPhoto(quality) {
    const { below, photo, camera } = this;
    below.clearRect(0, 0, photo.width, photo.height);
    const { scale, left, top } = camera;
    // Its pixels stay pixels once they are larger than a few of the screen's.
    below.imageSmoothingEnabled = scale < 3;
    below.imageSmoothingQuality = quality;
    const [x0, y0, x1, y1] = camera.visible();
    if (x0 >= x1 || y0 >= y1) return;
    below.drawImage(this.image, x0, y0, x1 - x0, y1 - y0, left + x0 * scale, top + y0 * scale, (x1 - x0) * scale, (y1 - y0) * scale);
  }

  /** The screen's pixels that show a box of the image, and as many around it as an outline reaches. */
  #onScreen([left, top, right, bottom]) {
    const { scale, left: ox, top: oy } = this.camera;
    return [
      Math.max(0, Math.floor(ox + left * scale) - 3), Math.max(0, Math.floor(oy + top * scale) - 3),
      Math.min(this.layer.width, Math.ceil(ox + right * scale) + 3), Math.min(this.layer.height, Math.ceil(oy + bottom * scale) + 3),
    ];
  }

  /** Colours a box of the screen's pixels from the ids that lie under their centres. */
  #colour(left, top, right, bottom) {
    const { packed, colours, preview, view } = this;
    const { width, height, ids } = this.mask;
    const stride = this.layer.width;
    const { scale, left: ox, top: oy } = this.camera;
    const columns = new Int32Array(right - left);
    for (let x = left; x < right; x++) {
      const at = Math.floor((x + 0.5 - ox) / scale);
      columns[x - left] = at < 0 || at >= width ? -1 : at;
    }
    const step = Math.max(1, 1.5 * devicePixelRatio / scale);
    let [above, patterned] = [null, false];
    for (let y = top; y < bottom; y++) {
      const row = Math.floor((y + 0.5 - oy) / scale);
      const to = y * stride;
      // Zoomed in, many of the screen's rows show one row of the image: they are copies of each other.
      if (row === above && !patterned) {
        packed.copyWithin(to + left, to - stride + left, to - stride + right);
        continue;
      }
      [above, patterned] = [row, false];
      if (row < 0 || row >= height) {
        packed.fill(0, to + left, to + right);
        continue;
      }
      const base = row * width;
      for (let x = left; x < right; x++) {
        const column = columns[x - left];
        if (column < 0) {
          packed[to + x] = 0;
          continue;
        }
        const id = ids[base + column];
        const proposed = preview ? preview.at(column, row, id) : id;
        if (proposed !== id) {
          packed[to + x] = changed(colours, id, proposed, x, y);
          patterned = true;
        } else if (id === 0) packed[to + x] = 0;
        else if (view.outline) packed[to + x] = this.#borders(id, column, row, step) ? colours[id] | 0xff000000 : 0;
        else if (id === IGNORE) {
          packed[to + x] = (x + y) & 8 ? 0xffd8d8d8 : 0xff9a9a9a;
          patterned = true;
        } else packed[to + x] = colours[id];
      }
    }
  }

  #borders(id, x, y, step) {
    const { width, height, ids } = this.mask;
    const [l, r] = [Math.floor(x - step), Math.ceil(x + step)];
    const [t, b] = [Math.floor(y - step), Math.ceil(y + step)];
    return l < 0 || t < 0 || r >= width || b >= height
      || ids[y * width + l] !== id || ids[y * width + r] !== id || ids[t * width + x] !== id || ids[b * width + x] !== id;
  }
}

/** A pixel that a snap would change: light stripes over what it becomes, dark ones over what it was. */
function changed(colours, before, after, x, y) {
  const stripe = (x + y) % 6 < 3;
  if (after === 0 || after === IGNORE) return stripe ? DARK : colours[before];
  return stripe ? LIGHT : colours[after];
}

function united([a, b, c, d], [e, f, g, h]) {
  return [Math.min(a, e), Math.min(b, f), Math.max(c, g), Math.max(d, h)];
}
