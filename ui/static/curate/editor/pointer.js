// What the pointer does on the picture: paints, moves the camera, draws corners, and shows where the brush is.
import { el } from "../../ui.js";
import { BACKGROUND, centred } from "./mask.js";

const ZOOM_PER_PIXEL = 0.0016;

export class Pointer {
  /** `editor` has mask, surface, polygon, tool, size, painting (the id), busy and `changed()`. */
  constructor(editor, canvas) {
    Object.assign(this, { editor, canvas });
    this.stroke = null;
    this.panning = null;
    this.space = false;
    this.last = null;
    this.ring = el("div", { class: "ed-ring", hidden: true });
    const hear = (name, act, options) => canvas.addEventListener(name, act, options);
    hear("pointerdown", (event) => this.#down(event));
    hear("pointermove", (event) => this.#move(event));
    hear("pointerup", (event) => this.#up(event));
    hear("pointercancel", (event) => this.#cancel(event));
    hear("pointerleave", () => { this.ring.hidden = true; this.last = null; editor.onPoint(null); });
    hear("dblclick", () => editor.polygon.close());
    hear("contextmenu", (event) => event.preventDefault());
    hear("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Space is down or up: while it is down, dragging moves the picture. */
  holdSpace(down) {
    this.space = down;
    this.#cursor();
  }

  /** Gives up a stroke half-way; false where none is drawn. */
  dropStroke() {
    if (!this.stroke) return false;
    this.stroke = null;
    this.editor.surface.touch(this.editor.mask.history.drop());
    return true;
  }

  /** The ring where the brush would paint, as large as what it would paint. */
  showRing(event = this.last) {
    const { surface, size, tool } = this.editor;
    this.last = event;
    this.#cursor();
    const brush = tool === "brush" || tool === "eraser";
    this.ring.hidden = !event || !brush || this.space || Boolean(this.panning);
    if (this.ring.hidden) return;
    const [x, y] = surface.camera.toPage(centred(surface.point(event.clientX, event.clientY), size));
    const width = (size * surface.camera.scale) / devicePixelRatio;
    this.ring.style.width = this.ring.style.height = `${width}px`;
    this.ring.style.transform = `translate(${x - width / 2}px, ${y - width / 2}px)`;
    this.ring.classList.toggle("tiny", width < 7);
    this.ring.classList.toggle("large", width > 512);
  }

  #down(event) {
    const { editor, canvas } = this;
    if (!event.isPrimary || this.stroke || this.panning) return;
    editor.root.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
    if (event.button === 1 || this.space) {
      this.panning = [event.clientX, event.clientY];
      this.showRing(event);
      return;
    }
    if (editor.busy || editor.snap.pending || (event.button !== 0 && event.button !== 2)) return;
    const point = editor.surface.point(event.clientX, event.clientY);
    if (editor.tool === "brush" || editor.tool === "eraser") this.#beginStroke(event, point);
    else if (event.button === 0) this.#click(point);
  }

  #beginStroke(event, point) {
    const { editor } = this;
    const id = event.button === 2 || editor.tool === "eraser" ? BACKGROUND : editor.painting;
    const at = centred(point, editor.size);
    editor.mask.history.begin();
    this.stroke = { id, at, size: editor.size };
    editor.surface.touch(editor.mask.stroke(at, at, editor.size, id));
  }

  #click(point) {
    const { editor } = this;
    if (editor.tool === "fill") {
      editor.act(() => editor.mask.fill(Math.floor(point[0]), Math.floor(point[1]), editor.painting));
    } else {
      editor.polygon.click(point);
      editor.polygon.move(point);
    }
  }

  #move(event) {
    const { editor } = this;
    if (this.panning) {
      const [x, y] = this.panning;
      this.panning = [event.clientX, event.clientY];
      editor.surface.camera.pan((event.clientX - x) * devicePixelRatio, (event.clientY - y) * devicePixelRatio);
      editor.surface.redraw();
      this.last = event;
      return;
    }
    if (this.stroke) {
      // Where the pointer was between two frames, too: a quick curve stays a curve.
      const between = event.getCoalescedEvents?.() ?? [];
      for (const each of between.length ? between : [event]) this.#paint(each);
    } else {
      editor.polygon.move(editor.surface.point(event.clientX, event.clientY));
    }
    this.showRing(event);
    editor.onPoint(editor.surface.point(event.clientX, event.clientY));
  }

  #paint(event) {
    const { editor, stroke } = this;
    const to = centred(editor.surface.point(event.clientX, event.clientY), stroke.size);
    if (to[0] === stroke.at[0] && to[1] === stroke.at[1]) return;
    editor.surface.touch(editor.mask.stroke(stroke.at, to, stroke.size, stroke.id));
    stroke.at = to;
  }

  #up(event) {
    if (this.panning) {
      this.panning = null;
      this.showRing(event);
    }
    if (!this.stroke) return;
    this.stroke = null;
    if (this.editor.mask.history.end()) this.editor.changed();
  }

  #cancel() {
    this.panning = null;
    this.dropStroke();
  }

  #wheel(event) {
    event.preventDefault();
    const { surface } = this.editor;
    const box = surface.bounds;
    // A wheel that counts in lines counts some 16 pixels a line.
    const turned = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    surface.camera.zoom(Math.exp(-turned * ZOOM_PER_PIXEL), (event.clientX - box.left) * devicePixelRatio, (event.clientY - box.top) * devicePixelRatio);
    surface.redraw();
    this.showRing(event);
  }

  #cursor() {
    const { tool } = this.editor;
    const brush = tool === "brush" || tool === "eraser";
    this.canvas.style.cursor = this.panning ? "grabbing" : this.space ? "grab" : brush ? "none" : "crosshair";
  }
}
