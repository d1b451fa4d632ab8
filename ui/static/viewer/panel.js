// One panel: a stage's picture on canvases, with its title and what there is to say about it.
import { el, formatNumber } from "../ui.js";
import { IGNORE, ZONES, gradient, outline, paintHeat, paintLabels, paintReference, paintZones } from "./colours.js";
import { drawHatched, ignoredMask } from "./hatch.js";
import { STAGE_TEXT } from "./words.js";

/** A stage's picture. `shared` holds camera, view (display settings), photo(), colourOf(id), tagHidden(name). */
export class Panel {
  constructor(key, stage, tag, shared, { onFocus }) {
    this.key = key;
    this.stage = stage;
    this.tag = tag;
    this.shared = shared;
    this.header = null;
    this.values = null;
    this.layer = null;
    this.ignored = null;
    this.outlinePath = null;
    this.wanted = false;
    this.fresh = false;
    this.canvas = el("canvas", { class: "tmv-canvas", "aria-hidden": "true" });
    this.cross = el("div", { class: "tmv-cross", hidden: true }, crossIcon());
    this.picture = el("div", { class: "tmv-picture tm-skeleton", tabindex: "-1" }, this.canvas, this.cross);
    this.caption = el("div", { class: "tmv-caption" });
    const text = STAGE_TEXT[stage];
    this.title = el(
      "button",
      { type: "button", class: "tmv-title", title: `${text.about} — click to enlarge`, onclick: () => onFocus(this) },
      el("span", { class: "tmv-step" }, text.step),
      el("span", { class: "tmv-name" }, text.title),
      tag ? el("span", { class: "tmv-tag" }, this.dot(shared.colourOfTag(tag)), tag) : null,
      expandIcon(),
    );
    this.root = el("figure", { class: "tmv-panel", dataset: { stage, tag: tag ?? "", key } }, this.title, this.picture, this.caption);
    this.#listen();
  }

  dot(colour) {
    return el("i", { class: "tmv-dot", style: { background: colour } });
  }

  /** The stage is being made again: what is shown stays, dimmed, until the new picture comes. */
  expect() {
    this.root.classList.add("stale");
  }

  /** Takes a frame: header and its pixels. */
  receive(header, values) {
    this.header = header;
    this.values = values;
    this.outlinePath = null;
    this.ignored = header.kind === "labels" ? ignoredMask(values, header.width, header.height, IGNORE) : null;
    this.fresh = true;
    this.root.classList.remove("stale");
    this.root.classList.toggle("note", header.kind === "note");
    this.picture.classList.remove("tm-skeleton");
    this.picture.querySelector(".tmv-note")?.remove();
    if (header.kind === "note") this.picture.append(el("p", { class: "tmv-note" }, header.caption));
    this.#describe();
    this.recolour();
  }

  /** Colours the map anew (colour map, hidden tags, theme) and draws. */
  recolour() {
    const header = this.header;
    if (!header || !this.values || header.kind === "image") return this.draw();
    const { width, height } = header;
    if (!this.layer || this.layer.width !== width || this.layer.height !== height) {
      this.layer = new OffscreenCanvas(width, height);
    }
    const context = this.layer.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    if (header.kind === "heat") {
      paintHeat(this.values, pixels, this.shared.view.colourMap);
      this.scale.style.backgroundImage = gradient(this.shared.view.colourMap);
    } else if (header.kind === "zones") paintZones(this.values, pixels);
    else if (header.kind === "labels") paintLabels(this.values, pixels, (id) => this.shared.visibleColour(id));
    else paintReference(this.values, pixels);
    context.putImageData(image, 0, 0);
    this.outlinePath = null;
    this.draw();
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
    const kind = this.header?.kind;
    const isMap = kind && kind !== "image" && kind !== "note";
    // Single pixels show only to someone who came close to see them.
    const smooth = this.shared.camera.zoom < 3 || at.pixel < 6;
    const source = kind === "heat" ? photo.grey : photo.colour;
    if (view.photo || !isMap) {
      context.imageSmoothingEnabled = smooth;
      if (kind === "note" || !this.header) context.globalAlpha = 0.25;
      context.drawImage(source, 0, 0, at.width, at.height);
      context.globalAlpha = 1;
    }
    if (!isMap || !this.layer || this.shared.tagHidden(this.tag)) return this.placeCross();
    const share = kind === "score" ? Math.max(view.opacity, 0.35) : view.opacity;
    if (view.map) {
      context.globalAlpha = view.photo ? share : 1;
      context.imageSmoothingEnabled = kind === "heat" && smooth;
      context.drawImage(this.layer, 0, 0, at.width, at.height);
      if (this.ignored) drawHatched(context, this.ignored, at);
      context.globalAlpha = 1;
    }
    if (view.outline && kind !== "heat") this.#drawOutline(context, at.width / this.layer.width);
    this.placeCross();
  }

  #drawOutline(context, scale) {
    const { width, height, kind } = this.header;
    this.outlinePath ??= outline(this.values, width, height, kind === "labels" ? (id) => this.shared.visibleColour(id) !== null : undefined);
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

  /** The value at a point of the image (fractions), as this stage's kind has it, or null. */
  valueAt({ x, y }) {
    if (!this.values || !this.header?.width || this.header.kind === "image") return null;
    const { width, height } = this.header;
    const column = Math.min(Math.floor(x * width), width - 1);
    const row = Math.min(Math.floor(y * height), height - 1);
    return this.values[row * width + column];
  }

  /** A pointer's place as fractions of the image, or null outside. */
  pointAt(event) {
    const box = this.picture.getBoundingClientRect();
    const at = this.frame();
    const x = (event.clientX - box.left - at.left) / at.width;
    const y = (event.clientY - box.top - at.top) / at.height;
    return x >= 0 && y >= 0 && x < 1 && y < 1 ? { x, y } : null;
  }

  #listen() {
    const camera = this.shared.camera;
    let drag = null;
    this.picture.addEventListener("wheel", (event) => {
      event.preventDefault();
      const point = this.pointAt(event) ?? { x: camera.x, y: camera.y };
      camera.zoomAt(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0022)), point.x, point.y);
    }, { passive: false });
    this.picture.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      drag = { x: event.clientX, y: event.clientY, moved: false };
      this.picture.setPointerCapture(event.pointerId);
    });
    this.picture.addEventListener("pointermove", (event) => {
      if (drag) {
        const dx = event.clientX - drag.x;
        const dy = event.clientY - drag.y;
        if (!drag.moved && Math.hypot(dx, dy) < 4) return;
        const at = this.frame();
        camera.panBy(dx / at.width, dy / at.height);
        Object.assign(drag, { x: event.clientX, y: event.clientY, moved: true });
        this.picture.classList.add("dragging");
        return;
      }
      camera.hover(this.pointAt(event));
    });
    const release = (event) => {
      if (drag && !drag.moved && event.type === "pointerup") {
        const point = this.pointAt(event);
        camera.pin(point && camera.pinned && Math.hypot(point.x - camera.pinned.x, point.y - camera.pinned.y) < 0.01 ? null : point);
      }
      drag = null;
      this.picture.classList.remove("dragging");
    };
    this.picture.addEventListener("pointerup", release);
    this.picture.addEventListener("pointercancel", release);
    this.picture.addEventListener("pointerleave", () => { if (!drag) camera.hover(null); });
    this.picture.addEventListener("dblclick", () => camera.reset());
  }

  #describe() {
    const { kind, caption, numbers, seconds, stage } = this.header;
    const parts = [];
    if (kind === "note") parts.push(el("span", { class: "tm-faint" }, "not made"));
    else if (kind === "zones") {
      for (const zone of ZONES) {
        parts.push(el("span", { class: "tmv-share", title: `${zone.name} zone, ${percent(numbers[zone.name])} of the image. ${zone.title}` },
          this.dot(`var(${zone.token})`), percent(numbers[zone.name])));
      }
    } else if (kind === "labels") {
      for (const [name, share] of Object.entries(numbers)) {
        if (name === "background") continue;
        const colour = name === "ignore" ? "repeating-linear-gradient(45deg, #ddd 0 2px, #888 2px 4px)" : this.shared.colourOfTag(name);
        parts.push(el("span", { class: "tmv-share", title: `${name}: ${percent(share)} of the image's pixels` }, this.dot(colour), percent(share)));
      }
    } else if (stage === "cam") {
      parts.push(el("span", { title: "How sure the network is that the tag is in the image, 0 to 1" }, `score ${formatNumber(numbers.score, 2)}`));
      if (numbers.mean === 0) parts.push(el("span", { class: "tm-badge warn", title: caption }, "all zero"));
    } else if (stage === "saliency") {
      parts.push(el("span", { title: "Mean saliency over the image, 0 to 1" }, `${caption}, mean ${formatNumber(numbers.mean, 2)}`));
    } else parts.push(el("span", { title: caption }, caption));
    if (kind === "heat") {
      this.scale = el("i", { style: { backgroundImage: gradient(this.shared.view.colourMap) } });
      parts.push(el("span", { class: "tmv-scale", title: "The colours from 0 to 1" }, "0", this.scale, "1"));
    }
    this.caption.replaceChildren(...parts);
    this.caption.title = kind === "note" ? caption : "";
    this.root.setAttribute("aria-label", `${STAGE_TEXT[stage].title}${this.tag ? `, ${this.tag}` : ""}: ${caption}`);
    this.root.dataset.ms = Math.round(seconds * 1000);
  }
}

/** 0.1234 -> "12%"; small shares keep a digit. */
export function percent(share) {
  if (share === undefined) return "–";
  return share > 0 && share < 0.1 ? `${(share * 100).toFixed(1)}%` : `${Math.round(share * 100)}%`;
}

function expandIcon() {
  return el("svg:svg", { class: "tmv-expand", viewBox: "0 0 16 16", "aria-hidden": "true" },
    el("svg:path", { d: "M9.5 2.5h4v4M13.5 2.5l-5 5M6.5 13.5h-4v-4M2.5 13.5l5-5" }));
}

function crossIcon() {
  const arms = "M12 2v6M12 16v6M2 12h6M16 12h6";
  return el("svg:svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, el("svg:path", { class: "halo", d: arms }), el("svg:path", { class: "line", d: arms }));
}
