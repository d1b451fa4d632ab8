// One camera for all panels: what part of the image is looked at, and the pixel under the cursor.

export const LARGEST_ZOOM = 32;

/** Zoom and centre in the image's own fractions, so that panels of any size show the same part. */
export class Camera extends EventTarget {
  constructor() {
    super();
    this.zoom = 1;
    this.x = 0.5;
    this.y = 0.5;
    this.cursor = null;
    this.pinned = null;
  }

  /** The pixel to read out: {x, y} in 0..1 of the image, or null. */
  get point() {
    return this.cursor ?? this.pinned;
  }

  /** Zooms by a factor, keeping the image point (x, y) where it is on the screen. */
  zoomAt(factor, x = this.x, y = this.y) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), LARGEST_ZOOM);
    const share = this.zoom / zoom;
    this.x = x + (this.x - x) * share;
    this.y = y + (this.y - y) * share;
    this.zoom = zoom;
    this.#settle();
  }

  panBy(dx, dy) {
    this.x -= dx;
    this.y -= dy;
    this.#settle();
  }

  reset() {
    this.zoom = 1;
    this.x = this.y = 0.5;
    this.#settle();
  }

  /** Goes to where an address says: {zoom, x, y}. */
  go({ zoom, x, y }) {
    Object.assign(this, { zoom: Math.min(Math.max(zoom, 1), LARGEST_ZOOM), x, y });
    this.#settle();
  }

  hover(point) {
    this.cursor = point;
    this.#tell("point");
  }

  pin(point) {
    this.pinned = point;
    this.#tell("point");
  }

  #settle() {
    const half = 0.5 / this.zoom;
    this.x = Math.min(Math.max(this.x, half), 1 - half);
    this.y = Math.min(Math.max(this.y, half), 1 - half);
    this.#tell("view");
  }

  #tell(kind) {
    this.dispatchEvent(new Event(kind));
  }
}
