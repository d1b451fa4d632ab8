// One panel: a stage's picture on canvases, with its title and what there is to say about it.
import { el } from "../ui.js";
import { captionOf } from "./captions.js";
import { outline } from "./colours.js";
import { drawHatched, maskOf } from "./hatch.js";
import { KINDS } from "./kinds.js";
import { outcomes } from "./outcomes.js";
import { listen } from "./pointing.js";
import { photograph } from "./photo.js";
import { dot } from "./shares.js";
import { stageText } from "./words.js";

/** A stage's picture. `side` is whose it is; `shared` holds camera, view (display settings), photo() and size(). */
export class Panel {
  constructor(key, stage, tag, side, { onFocus }) {
    Object.assign(this, { key, stage, tag, side, shared: side.shared });
    this.header = null;
    this.values = null;
    this.shown = null;
    this.layer = null;
    this.hatched = [];
    this.outlinePath = null;
    this.wanted = false;
    this.fresh = false;
    // Whether a frame is still to come, and whether another panel speaks for this one.
    this.due = true;
    this.absorbed = false;
    this.canvas = el("canvas", { class: "tmv-canvas", "aria-hidden": "true" });
    this.cross = el("div", { class: "tmv-cross", hidden: true }, crossIcon());
    this.picture = el("div", { class: "tmv-picture tm-skeleton", tabindex: "-1" }, this.canvas, this.cross);
    this.caption = el("div", { class: "tmv-caption" });
    this.step = el("span", { class: "tmv-step" });
    this.mark = tag ? dot(side.colourOf(tag)) : null;
    const text = stageText(stage);
    this.title = el(
      "button",
      { type: "button", class: "tmv-title", title: `${text.title}${tag ? `, ${tag}` : ""}: ${text.about} — click to enlarge`, onclick: () => onFocus(this) },
      this.step,
      el("span", { class: "tmv-name" }, text.title),
      tag ? el("span", { class: "tmv-tag", title: tag }, this.mark, el("span", {}, tag)) : null,
      expandIcon(),
    );
    this.root = el("figure", { class: "tmv-panel", dataset: { stage, tag: tag ?? "", key, side: side.letter } }, this.title, this.picture, this.caption);
    listen(this);
  }

  /** The stage is being made again: what is shown stays, dimmed, until the new picture comes. */
  expect() {
    this.root.classList.add("stale");
  }

  /** Takes a frame: header and its pixels. */
  receive(header, values) {
    this.header = header;
    this.values = values;
    this.bitmap = header.kind === "image" && this.stage !== "image" ? photograph(values) : null;
    this.fresh = true;
    this.due = false;
    this.root.classList.remove("stale");
    this.root.classList.toggle("note", header.kind === "note");
    this.picture.classList.remove("tm-skeleton");
    this.picture.querySelector(".tmv-note")?.remove();
    if (header.kind === "note") this.picture.append(el("p", { class: "tmv-note" }, header.caption));
    this.root.dataset.ms = Math.round(header.seconds * 1000);
    this.recolour();
  }

  /** Colours the map anew (colour map, hidden tags, theme, errors) and draws. */
  recolour() {
    const { header } = this;
    if (!header) return this.draw();
    this.shown = this.#toShow();
    if (this.mark) this.mark.style.background = this.side.colourOf(this.tag);
    this.#describe();
    const kind = KINDS[this.shown.kind];
    if (!kind || !this.values) return this.draw();
    const { width, height } = header;
    if (!this.layer || this.layer.width !== width || this.layer.height !== height) {
      this.layer = new OffscreenCanvas(width, height);
    }
    const context = this.layer.getContext("2d");
    const image = context.createImageData(width, height);
    kind.paint(this, this.shown.values, new Uint32Array(image.data.buffer));
    context.putImageData(image, 0, 0);
    this.hatched = (kind.hatches ?? []).map(([value, hatch]) => [maskOf(this.shown.values, width, height, value), hatch]).filter(([mask]) => mask);
    this.outlinePath = null;
    this.draw();
  }

  /** What is painted: the stage's own map or, where errors are asked for, a mask's against the truth. */
  #toShow() {
    const { kind } = this.header;
    const truth = kind === "labels" && this.stage !== "truth" && this.shared.view.errors ? this.side.truth : null;
    return truth?.length === this.values?.length && truth ? { kind: "errors", values: outcomes(this.values, truth) } : { kind, values: this.values };
  }

  /** Draws at the next animation frame; many calls make one drawing. */
  draw() {
    if (this.wanted) return;
    this.wanted = true;
    requestAnimationFrame(() => {
      this.wanted = false;
      this.#paint();
      if (!this.fresh || !this.shared.photo()) return;
      this.fresh = false;
      window.dispatchEvent(new CustomEvent("tagmask:painted", { detail: { stage: this.stage, tag: this.tag } }));
    });
  }

  /** Where the image lies in the picture: {left, top, scale} from fractions to CSS pixels. */
  frame() {
    const { width, height } = this.shared.size();
    const box = { width: this.picture.clientWidth, height: this.picture.clientHeight };
    const fit = Math.min(box.width / width, box.height / height);
    const { zoom, x, y } = this.shared.camera;
    const w = width * fit * zoom;
    const h = height * fit * zoom;
    // A picture with room to spare stays in the middle; a larger one follows the camera.
    const left = w <= box.width ? (box.width - w) / 2 : Math.min(0, Math.max(box.width - w, box.width / 2 - x * w));
    const top = h <= box.height ? (box.height - h) / 2 : Math.min(0, Math.max(box.height - h, box.height / 2 - y * h));
    return { left, top, width: w, height: h, pixel: fit * zoom };
  }

  #paint() {
    const box = this.picture.getBoundingClientRect();
    const { view } = this.shared;
    const photo = this.shared.photo();
    if (!box.width || !photo) return;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(box.width * ratio);
    const height = Math.round(box.height * ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const at = this.frame();
    context.setTransform(ratio, 0, 0, ratio, at.left * ratio, at.top * ratio);
    const kind = KINDS[this.shown?.kind];
    // Single pixels show only to someone who came close to see them.
    const smooth = this.shared.camera.zoom < 3 || at.pixel < 6;
    if (view.photo || !kind) {
      context.imageSmoothingEnabled = smooth;
      if (!this.header || this.header.kind === "note") context.globalAlpha = 0.25;
      context.drawImage(this.bitmap?.colour ?? (kind?.grey ? photo.grey : photo.colour), 0, 0, at.width, at.height);
      context.globalAlpha = 1;
    }
    if (!kind || !this.layer || this.side.tagHidden(this.tag)) return this.placeCross();
    const share = this.header.kind === "score" ? Math.max(view.opacity, 0.35) : view.opacity;
    if (view.map) {
      context.globalAlpha = view.photo ? share : 1;
      context.imageSmoothingEnabled = Boolean(kind.smooth) && smooth;
      context.drawImage(this.layer, 0, 0, at.width, at.height);
      for (const [mask, hatch] of this.hatched) drawHatched(context, mask, hatch, at);
      context.globalAlpha = 1;
    }
    if (view.outline && kind.outlined) this.#drawOutline(context, at.width / this.layer.width);
    this.placeCross();
  }

  #drawOutline(context, scale) {
    const { width, height } = this.header;
    const { kind, values } = this.shown;
    this.outlinePath ??= outline(values, width, height, kind === "labels" ? (id) => this.side.visibleColour(id) !== null : undefined);
    context.save();
    context.scale(scale, scale);
    context.lineJoin = "round";
    for (const [colour, thickness] of [["rgba(0, 0, 0, 0.55)", 2.5], ["rgba(255, 255, 255, 0.95)", 1.25]]) {
      context.strokeStyle = colour;
      context.lineWidth = thickness / scale;
      context.stroke(this.outlinePath);
    }
    context.restore();
  }

  /** Puts the crosshair where the camera's point is. */
  placeCross() {
    const point = this.shared.camera.point;
    this.cross.hidden = !point || !this.header;
    if (this.cross.hidden) return;
    const at = this.frame();
    const x = at.left + point.x * at.width;
    const y = at.top + point.y * at.height;
    this.cross.hidden = x < 0 || y < 0 || x > this.picture.clientWidth || y > this.picture.clientHeight;
    this.cross.style.transform = `translate(${x}px, ${y}px)`;
    this.cross.classList.toggle("pinned", !this.shared.camera.cursor);
  }

  /** How the panel reads at a point of the image (fractions): {mark, text, title}, or null where it says nothing. */
  readAt(point) {
    const { header } = this;
    if (!header || !this.values) return null;
    if (header.kind === "image") {
      const rgb = (this.bitmap ?? this.shared.photo())?.at(point);
      return rgb ? { mark: el("i", { class: "tmv-dot square", style: { background: `rgb(${rgb.join(", ")})` } }), text: rgb.join(" "), title: "Red, green and blue, 0 to 255" } : null;
    }
    const column = Math.min(Math.floor(point.x * header.width), header.width - 1);
    const row = Math.min(Math.floor(point.y * header.height), header.height - 1);
    const at = row * header.width + column;
    const read = KINDS[header.kind]?.read(this, this.values[at]);
    if (!read || this.shown.kind === header.kind) return read ?? null;
    const outcome = KINDS[this.shown.kind].read(this, this.shown.values[at]);
    return { ...read, mark: outcome.mark, title: `${read.title}: ${outcome.text}` };
  }

  /** A pointer's place as fractions of the image, or null outside. */
  pointAt(event) {
    const box = this.picture.getBoundingClientRect();
    const at = this.frame();
    const x = (event.clientX - box.left - at.left) / at.width;
    const y = (event.clientY - box.top - at.top) / at.height;
    return x >= 0 && y >= 0 && x < 1 && y < 1 ? { x, y } : null;
  }

  #describe() {
    const { kind, caption } = this.header;
    this.caption.replaceChildren(...captionOf(this, this.shown).filter(Boolean));
    this.caption.title = kind === "note" ? caption : "";
    this.root.setAttribute("aria-label", `${stageText(this.stage).title}${this.tag ? `, ${this.tag}` : ""}: ${caption}`);
  }
}

function expandIcon() {
  return el("svg:svg", { class: "tmv-expand", viewBox: "0 0 16 16", "aria-hidden": "true" },
    el("svg:path", { d: "M9.5 2.5h4v4M13.5 2.5l-5 5M6.5 13.5h-4v-4M2.5 13.5l5-5" }));
}

function crossIcon() {
  const arms = "M12 2v6M12 16v6M2 12h6M16 12h6";
  return el("svg:svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, el("svg:path", { class: "halo", d: arms }), el("svg:path", { class: "line", d: arms }));
}
