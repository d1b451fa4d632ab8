// A polygon that is being drawn: its corners in the image, its lines over the picture.
import { el } from "../../ui.js";

const CLOSE_BY = 9;

export class Polygon {
  /** `onClose(points)` gets the corners of a polygon that was closed. */
  constructor(surface, onClose) {
    Object.assign(this, { surface, onClose, points: [], pointer: null });
    this.shade = el("svg:polygon", { class: "ed-poly-shade" });
    this.lines = el("svg:polyline", { class: "ed-poly-line" });
    this.light = el("svg:polyline", { class: "ed-poly-line light" });
    this.corners = el("svg:g", {});
    this.element = el("svg:svg", { class: "ed-poly", "aria-hidden": "true" }, this.shade, this.lines, this.light, this.corners);
  }

  get pending() {
    return this.points.length > 0;
  }

  /** A click: a corner more, or, on the first one, the end. */
  click(point) {
    if (this.points.length > 2 && this.#near(point, this.points[0])) return this.close();
    // A double click is two clicks on one place; the second is no corner of its own.
    if (!this.points.length || !this.#near(point, this.points.at(-1), 2)) this.points.push(point);
    this.draw();
    return null;
  }

  move(point) {
    if (!this.pending) return;
    this.pointer = point;
    this.draw();
  }

  back() {
    this.points.pop();
    this.draw();
  }

  drop() {
    this.points = [];
    this.pointer = null;
    this.draw();
  }

  close() {
    const { points } = this;
    if (points.length < 3) return;
    this.drop();
    this.onClose(points);
  }

  /** Again where its corners are now, after the camera moved. */
  draw() {
    const { camera } = this.surface;
    const at = this.points.map((point) => camera.toPage(point));
    const tip = this.pointer ? [camera.toPage(this.pointer)] : [];
    const text = (points) => points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ");
    this.shade.setAttribute("points", text([...at, ...tip]));
    for (const line of [this.lines, this.light]) line.setAttribute("points", text([...at, ...tip]));
    this.corners.replaceChildren(...at.map(([x, y], i) => el("svg:circle", { cx: x, cy: y, r: i ? 3 : 4.5 })));
  }

  #near([ax, ay], [bx, by], within = CLOSE_BY) {
    return (Math.hypot(ax - bx, ay - by) * this.surface.camera.scale) / devicePixelRatio < within;
  }
}
