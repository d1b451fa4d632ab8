// Which part of the image is on the screen: one scale and where its corner lies, in the screen's pixels.

const LARGEST_SCALE = 64;
const MARGIN = 24;

export class Camera {
  constructor() {
    this.image = [1, 1];
    this.screenSize = [1, 1];
    this.fitted = true;
    Object.assign(this, { scale: 1, left: 0, top: 0 });
  }

  /** The canvas has another size: what was fitted stays fitted, else the middle stays the middle. */
  set screen([width, height]) {
    const [before] = [this.screenSize];
    this.screenSize = [width, height];
    if (this.fitted) this.fit();
    else this.pan((width - before[0]) / 2, (height - before[1]) / 2);
  }

  get fitting() {
    const [width, height] = this.screenSize;
    const margin = MARGIN * devicePixelRatio;
    return Math.max(0.01, Math.min((width - 2 * margin) / this.image[0], (height - 2 * margin) / this.image[1]));
  }

  /** All of the image, in the middle. */
  fit() {
    this.scale = this.fitting;
    this.left = (this.screenSize[0] - this.image[0] * this.scale) / 2;
    this.top = (this.screenSize[1] - this.image[1] * this.scale) / 2;
    this.fitted = true;
  }

  /** Larger or smaller by a factor; what lies under (x, y) of the screen stays there. */
  zoom(factor, x = this.screenSize[0] / 2, y = this.screenSize[1] / 2) {
    const scale = Math.min(LARGEST_SCALE, Math.max(this.fitting / 2, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.#settle();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.#settle();
  }

  toImage(x, y) {
    return [(x - this.left) / this.scale, (y - this.top) / this.scale];
  }

  /** Where a point of the image is, in CSS pixels of the canvas. */
  toPage([x, y]) {
    return [(this.left + x * this.scale) / devicePixelRatio, (this.top + y * this.scale) / devicePixelRatio];
  }

  /** The image's pixels that can be seen, [left, top, right, bottom). */
  visible() {
    const [width, height] = this.image;
    const [x0, y0] = this.toImage(0, 0);
    const [x1, y1] = this.toImage(...this.screenSize);
    return [Math.max(0, Math.floor(x0)), Math.max(0, Math.floor(y0)), Math.min(width, Math.ceil(x1)), Math.min(height, Math.ceil(y1))];
  }

  /** Some of the image always stays in sight. */
  #settle() {
    this.fitted = false;
    const [width, height] = this.screenSize;
    const rest = 48 * devicePixelRatio;
    this.left = Math.min(width - rest, Math.max(rest - this.image[0] * this.scale, this.left));
    this.top = Math.min(height - rest, Math.max(rest - this.image[1] * this.scale, this.top));
  }
}
