// The photograph with its mask on one canvas: fit, zoom at the pointer, drag, double-click to fit again.
import { paintLabels } from "../masks.js";
import { painted } from "./layers.js";

const MAX_ZOOM = 32;

export class MaskCanvas {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.picture = null;
    this.view = { hidden: false, outline: false, opacity: 0.55, layer: "mask" };
    this.place = { zoom: 1, x: 0, y: 0 };
    this.overlay = this.outline = null;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.#drag(event));
    canvas.addEventListener("dblclick", () => { this.place = { zoom: 1, x: 0, y: 0 }; this.draw(); });
  }

  /** Shows a picture {image, labels, reference}, fitted; null clears. */
  show(picture, colours) {
    this.picture = picture;
    this.colours = colours;
    this.overlay = this.outline = null;
    this.place = { zoom: 1, x: 0, y: 0 };
    this.draw();
  }

  set(view) {
    if (["outline", "layer"].some((name) => name in view && view[name] !== this.view[name])) this.overlay = null;
    Object.assign(this.view, view);
    this.draw();
  }

  draw() {
    const { canvas, context, picture, view } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!picture || !canvas.width) return;
    const { scale, left, top } = this.#geometry();
    const { width, height } = picture.image;
    context.imageSmoothingEnabled = scale < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture.image, left, top, width * scale, height * scale);
    if (view.hidden) return;
    this.overlay ??= this.#painted(scale);
    context.imageSmoothingEnabled = false;
    context.globalAlpha = view.outline ? 1 : view.opacity;
    context.drawImage(this.overlay, left, top, width * scale, height * scale);
    context.globalAlpha = 1;
    // The reference stands in the mask's place; what is judged is the mask, so its outline stays in sight.
    if (view.layer !== "reference" || !picture.reference) return;
    this.outline ??= paintLabels(picture.labels, this.colours, { outline: true, thick: thickness(scale) });
    context.drawImage(this.outline, left, top, width * scale, height * scale);
  }

  #painted(scale) {
    const { map, colours } = painted(this.picture, this.view.layer, this.colours);
    return paintLabels(map, colours, { outline: this.view.outline, thick: thickness(scale) });
  }

  #geometry() {
    const { canvas, picture, place } = this;
    const { width, height } = picture.image;
    const margin = 16 * devicePixelRatio;
    const fit = Math.min((canvas.width - 2 * margin) / width, (canvas.height - 2 * margin) / height);
    const scale = Math.max(fit, 0.01) * place.zoom;
    return { scale, left: (canvas.width - width * scale) / 2 + place.x, top: (canvas.height - height * scale) / 2 + place.y };
  }

  #resize() {
    const box = this.canvas.getBoundingClientRect();
    const [width, height] = [Math.round(box.width * devicePixelRatio), Math.round(box.height * devicePixelRatio)];
    if (!width || (width === this.canvas.width && height === this.canvas.height)) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.overlay = this.outline = null;
    this.draw();
  }

  #wheel(event) {
    if (!this.picture) return;
    event.preventDefault();
    const box = this.canvas.getBoundingClientRect();
    const at = [(event.clientX - box.left) * devicePixelRatio, (event.clientY - box.top) * devicePixelRatio];
    const before = this.#geometry();
    const zoom = Math.min(MAX_ZOOM, Math.max(1, this.place.zoom * Math.exp(-event.deltaY * 0.0015)));
    const ratio = zoom / this.place.zoom;
    this.place.zoom = zoom;
    if (zoom === 1) {
      this.place.x = this.place.y = 0;
    } else {
      const after = this.#geometry();
      this.place.x += at[0] - (at[0] - before.left) * ratio - after.left;
      this.place.y += at[1] - (at[1] - before.top) * ratio - after.top;
    }
    if (this.view.outline) this.overlay = null;
    this.outline = null;
    this.draw();
  }

  #drag(event) {
    if (!this.picture || event.button !== 0 || this.place.zoom === 1) return;
    const { canvas, place } = this;
    const from = { x: event.clientX, y: event.clientY, left: place.x, top: place.y };
    canvas.setPointerCapture(event.pointerId);
    const move = (next) => {
      place.x = from.left + (next.clientX - from.x) * devicePixelRatio;
      place.y = from.top + (next.clientY - from.y) * devicePixelRatio;
      this.draw();
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", move), { once: true });
    canvas.addEventListener("pointercancel", () => canvas.removeEventListener("pointermove", move), { once: true });
  }
}

/** How many of the image's pixels a line is wide that is to be some 1.5 of the screen's. */
function thickness(scale) {
  return Math.max(1, Math.round(1.5 / scale));
}
