// The photograph with A's mask left of a divider and B's right of it, or where they differ; with zoom and pan.
import { el } from "../ui.js";
import { palette, paintLabels } from "../masks.js";
import { Camera } from "../viewer/camera.js";
import { outline } from "../viewer/colours.js";
import { paintVerdicts } from "./verdicts.js";

const MARGIN = 12;
/** How opaque masks lie over the photograph until somebody wants them otherwise. */
export const OPACITY = 0.6;

export class Wipe {
  /** `onView()` is told of every change of divider, look or camera, for the address. */
  constructor(onView) {
    this.onView = onView;
    this.camera = new Camera();
    this.split = 0.5;
    this.look = "slider";
    this.outlines = false;
    this.opacity = OPACITY;
    this.hidden = false;
    this.canvas = el("canvas", { class: "cp-canvas", role: "img", "aria-label": "The photograph with both masks" });
    this.context = this.canvas.getContext("2d");
    this.handle = el("div", { class: "cp-handle", role: "slider", tabindex: 0, "aria-label": "Divider: A's mask on its left, B's on its right", "aria-valuemin": 0, "aria-valuemax": 100, title: "Drag it, or move it with the arrow keys" }, el("span", { "aria-hidden": "true" }, "‹ ›"));
    this.sides = ["A", "B"].map((letter) => el("span", { class: `cp-side ${letter.toLowerCase()}`, "aria-hidden": "true" }, letter));
    this.message = el("p", { class: "cp-message", hidden: true, role: "status" });
    this.root = el("div", { class: "cp-well" }, this.canvas, this.sides, this.handle, this.message);
    new ResizeObserver(() => this.draw()).observe(this.root);
    this.camera.addEventListener("view", () => { this.draw(); this.onView(); });
    this.canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.#press(event));
    this.canvas.addEventListener("dblclick", () => this.camera.reset());
    this.handle.addEventListener("pointerdown", (event) => this.#slide(event));
    this.handle.addEventListener("keydown", (event) => this.#step(event));
  }

  /** Shows a picture of Pictures, null for none; the camera stays. */
  show(picture, classes) {
    this.picture = picture;
    this.classes = classes;
    this.painted = null;
    this.message.hidden = true;
    this.draw();
  }

  /** Says a sentence where the picture would be. */
  say(sentence) {
    this.show(null, this.classes);
    this.message.textContent = sentence;
    this.message.hidden = false;
  }

  /** Changes any of split, look, outlines, opacity, hidden. */
  set(changes) {
    Object.assign(this, changes);
    this.split = Math.min(Math.max(this.split, 0), 1);
    this.draw();
    this.onView();
  }

  /** "1.50,0.400,0.600" of the camera where it is moved, else null. */
  get place() {
    const { zoom, x, y } = this.camera;
    return zoom === 1 ? null : [zoom.toFixed(2), x.toFixed(4), y.toFixed(4)].join(",");
  }

  set place(text) {
    const numbers = (text ?? "").split(",").map(Number);
    const good = text && numbers.length === 3 && numbers.every((value) => Number.isFinite(value) && value >= 0);
    const [zoom, x, y] = good ? numbers : [1, 0.5, 0.5];
    Object.assign(this.camera, { zoom: 1, x: 0.5, y: 0.5 });
    // Its own rules keep it inside of the image.
    Object.assign(this.camera, { zoom: Math.max(zoom, 1), x, y });
    this.camera.zoomAt(1);
  }

  draw() {
    this.due ??= requestAnimationFrame(() => { this.due = null; this.#paint(); });
  }

  #paint() {
    const { canvas, context, picture } = this;
    const box = this.root.getBoundingClientRect();
    if (!box.width) return;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const sliding = Boolean(picture) && this.look === "slider" && !this.hidden;
    this.handle.hidden = !sliding;
    for (const side of this.sides) side.hidden = !sliding;
    if (!picture) return;
    const at = this.#placed(width, height, ratio);
    context.imageSmoothingEnabled = at.scale < 4;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture.photo, at.left, at.top, at.width, at.height);
    const seen = { left: Math.max(at.left, 0), right: Math.min(at.left + at.width, width), top: Math.max(at.top, 0), bottom: Math.min(at.top + at.height, height) };
    const line = seen.left + this.split * (seen.right - seen.left);
    if (!this.hidden) this.#masks(at, line);
    if (this.outlines && picture.truth) this.#truth(at);
    if (!sliding) return;
    context.fillStyle = "rgba(9, 14, 13, 0.55)";
    context.fillRect(line - 1.5 * ratio, seen.top, 3 * ratio, seen.bottom - seen.top);
    context.fillStyle = "#fff";
    context.fillRect(line - 0.75 * ratio, seen.top, 1.5 * ratio, seen.bottom - seen.top);
    this.seen = { left: seen.left / ratio, width: (seen.right - seen.left) / ratio };
    Object.assign(this.handle.style, { left: `${line / ratio}px`, top: `${seen.top / ratio}px`, height: `${(seen.bottom - seen.top) / ratio}px` });
    this.handle.setAttribute("aria-valuenow", Math.round(100 * this.split));
    this.handle.setAttribute("aria-valuetext", `${Math.round(100 * this.split)}% of the width shows A's mask`);
    Object.assign(this.sides[0].style, { left: `${seen.left / ratio + 8}px`, top: `${seen.top / ratio + 8}px` });
    Object.assign(this.sides[1].style, { left: `${seen.right / ratio - 30}px`, top: `${seen.top / ratio + 8}px` });
  }

  /** Both masks, each clipped to its side of the divider, or what they differ in. */
  #masks(at, line) {
    const { context, canvas, picture } = this;
    const colours = palette(this.classes);
    this.painted ??= { a: paintLabels(picture.a, colours), b: paintLabels(picture.b, colours), difference: paintVerdicts(picture) };
    context.imageSmoothingEnabled = false;
    const parts = this.look === "difference" ? [[this.painted.difference, 0, canvas.width, 0.85]] : [[this.painted.a, 0, line, this.opacity], [this.painted.b, line, canvas.width, this.opacity]];
    for (const [map, from, to, opacity] of parts) {
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, canvas.height);
      context.clip();
      context.globalAlpha = opacity;
      context.drawImage(map, at.left, at.top, at.width, at.height);
      context.restore();
    }
  }

  #truth({ left, top, width, height }) {
    const { context, picture } = this;
    const { truth } = picture;
    this.painted ??= {};
    this.painted.outline ??= outline(truth.ids, truth.width, truth.height, (id) => id !== 0 && id !== 255);
    context.save();
    context.translate(left, top);
    context.scale(width / truth.width, height / truth.height);
    const unit = (devicePixelRatio * truth.width) / width;
    context.lineCap = "square";
    for (const [colour, wide, dash] of [["rgba(9, 14, 13, 0.7)", 3, []], ["#fff", 1.5, [5, 4]]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: wide * unit });
      context.setLineDash(dash.map((each) => each * unit));
      context.stroke(this.painted.outline);
    }
    context.restore();
  }

  #placed(width, height, ratio) {
    const { photo } = this.picture;
    const { zoom, x, y } = this.camera;
    const margin = 2 * MARGIN * ratio;
    const scale = Math.max(Math.min((width - margin) / photo.width, (height - margin) / photo.height), 0.01) * zoom;
    return { scale, width: photo.width * scale, height: photo.height * scale, left: width / 2 - x * photo.width * scale, top: height / 2 - y * photo.height * scale };
  }

  /** The image point under the pointer, in 0..1. */
  #point(event) {
    const box = this.root.getBoundingClientRect();
    const at = this.#placed(this.canvas.width, this.canvas.height, devicePixelRatio);
    return [((event.clientX - box.left) * devicePixelRatio - at.left) / at.width, ((event.clientY - box.top) * devicePixelRatio - at.top) / at.height];
  }

  #wheel(event) {
    if (!this.picture) return;
    event.preventDefault();
    this.camera.zoomAt(Math.exp(-event.deltaY * 0.0015), ...this.#point(event));
  }

  /** A press beside the divider of the whole image brings the divider; of a part of it, it moves the image. */
  #press(event) {
    if (!this.picture || event.button !== 0) return;
    if (this.camera.zoom === 1) { if (this.look === "slider" && !this.hidden) this.#slide(event); return; }
    const at = this.#placed(this.canvas.width, this.canvas.height, devicePixelRatio);
    let from = event;
    this.#follow(this.canvas, event, (next) => {
      this.camera.panBy(((next.clientX - from.clientX) * devicePixelRatio) / at.width, ((next.clientY - from.clientY) * devicePixelRatio) / at.height);
      from = next;
    });
  }

  #slide(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    this.handle.focus();
    const move = (next) => this.set({ split: (next.clientX - this.root.getBoundingClientRect().left - this.seen.left) / this.seen.width });
    move(event);
    this.#follow(event.currentTarget, event, move);
  }

  #follow(target, event, move) {
    target.setPointerCapture(event.pointerId);
    target.addEventListener("pointermove", move);
    const end = () => { target.removeEventListener("pointermove", move); target.removeEventListener("pointerup", end); target.removeEventListener("pointercancel", end); };
    target.addEventListener("pointerup", end);
    target.addEventListener("pointercancel", end);
  }

  #step(event) {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1 }[event.key];
    const to = { Home: 0, End: 1 }[event.key];
    if (by === undefined && to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.set({ split: to ?? this.split + by * (event.shiftKey ? 5 : 1) });
  }
}
