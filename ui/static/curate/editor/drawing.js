// A drawing session: one mask on the canvas, its tools, and every act that a key or a button may ask for.
import { el, toast } from "../../ui.js";
import { palette } from "../../masks.js";
import { Draft, when } from "./drafts.js";
import { Ending } from "./ending.js";
import { Head } from "./head.js";
import { Keys } from "./keys.js";
import { BACKGROUND, IGNORE, Mask } from "./mask.js";
import { Notices } from "./notice.js";
import { Panel } from "./panel.js";
import { Pointer } from "./pointer.js";
import { Polygon } from "./polygon.js";
import { Snap } from "./snap.js";
import { Surface } from "./surface.js";
import { toolbar, TOOLS } from "./tools.js";

const KEPT = "tagmask.editor";
const LARGEST_BRUSH = 400;

export class Drawing {
  constructor({ tab, lease, onLost, drafts, begun, image, labels }) {
    Object.assign(this, { tab, begun, image, row: begun.row, busy: false });
    this.colours = palette(tab.setup.classes);
    this.base = labels.ids.slice();
    this.mask = new Mask(labels.width, labels.height, labels.ids);
    const kept = { tool: "brush", size: Math.max(3, Math.round(labels.width / 40)), keepOthers: false, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
    Object.assign(this, { tool: TOOLS.some(({ name }) => name === kept.tool) ? kept.tool : "brush", size: kept.size });
    // Nobody means to begin a new image by rubbing out.
    if (this.tool === "eraser" || this.tool === "cut") this.tool = "brush";
    this.mask.keepOthers = kept.keepOthers;
    this.#layout();
    this.draft = new Draft(drafts, this.row, this.mask, (at, problem) => this.head.sayDraft(problem ?? `Draft kept at ${when(at)}`, Boolean(problem)));
    this.ending = new Ending(this, { lease, onLost, drafts });
    this.choose(this.panel.first);
  }

  #layout() {
    const photo = el("canvas", { class: "ed-canvas ed-photo", "aria-hidden": "true" });
    const layer = el("canvas", { class: "ed-canvas ed-layer", role: "img", "aria-label": `${this.row.image_name} with the mask that is drawn` });
    this.surface = new Surface(photo, layer);
    this.polygon = new Polygon(this.surface, (points) => this.act(() => this.mask.polygon(points, this.tool === "cut" ? BACKGROUND : this.painting)));
    this.pointer = new Pointer(this, layer);
    this.panel = new Panel({
      classes: this.tab.setup.classes, tags: this.row.tags, mask: this.mask,
      onClass: (id) => this.paintWith(id), onSize: (size) => this.resize(size), onKeepOthers: (on) => this.keepOthers(on),
    });
    this.snap = new Snap({
      row: this.row, mask: this.mask, surface: this.surface, className: (id) => this.panel.nameOf(id),
      onKeep: (piece) => this.act(() => this.mask.lay(piece)), onState: () => this.#hint(),
    });
    this.head = new Head(this);
    this.bar = toolbar({ onTool: (name) => this.use(name), onGrow: () => this.grow() });
    this.notices = new Notices();
    this.hint = el("p", { class: "ed-hint" });
    this.where = el("p", { class: "ed-where" });
    this.said = el("span", { class: "tm-visually-hidden", role: "status", "aria-live": "polite" });
    this.well = el("div", { class: "ed-well" }, photo, layer, this.polygon.element, this.pointer.ring, this.notices.element, this.snap.element);
    this.root = el("section", { class: "ed", tabindex: "-1", "aria-label": `Mask editor: ${this.row.image_name}` },
      this.head.element, this.bar.element, this.well, this.panel.element, el("div", { class: "ed-foot" }, this.hint, this.where), this.said);
  }

  async begin() {
    const host = this.tab.well.closest(".cu") ?? this.tab.well;
    this.covered = [...host.children].filter((each) => !each.inert);
    this.focused = document.activeElement;
    // What lies below can be neither clicked nor reached by Tab while it is covered.
    for (const each of this.covered) each.inert = true;
    host.append(this.root);
    this.keys = new Keys(this);
    this.surface.onMoved = () => { this.polygon.draw(); this.pointer.showRing(); this.head.showZoom(this.surface.camera.scale); };
    this.surface.resize();
    this.surface.show(this.image, this.mask, this.colours);
    this.surface.set({ opacity: this.tab.view?.view.opacity ?? 0.55 });
    this.head.showView(this.surface.view);
    this.use(this.tool);
    this.resize(this.size);
    this.panel.showKeepOthers(this.mask.keepOthers);
    if (this.begun.snap) Object.assign(this.bar.grow, { title: this.begun.snap });
    this.#tellSteps();
    this.root.focus({ preventScroll: true });
    this.surface.paint();
    if (this.begun.newer) this.ending.tellNewer(this.begun.newer, `${this.begun.newer.reviewer ?? "Somebody"} drew a newer mask of this image than the one you opened.`);
    await this.#bringBack();
    this.root.dataset.ready = "yes";
  }

  /** The draft of an earlier visit, brought back as a change that can be undone. */
  async #bringBack() {
    const found = await this.draft.read().catch(() => null);
    if (!found) return;
    this.mask.history.begin();
    this.surface.touch(this.mask.lay({ left: 0, top: 0, width: this.mask.width, height: this.mask.height, ids: found.ids }));
    if (!this.mask.history.end()) return;
    this.changed();
    this.notices.show("draft", `What you drew at ${when(found.saved)} and did not save is back.`, [["Begin anew", () => this.#anew()], ["Go on with it", null, true]]);
  }

  #anew() {
    this.act(() => this.mask.lay({ left: 0, top: 0, width: this.mask.width, height: this.mask.height, ids: this.base }));
  }

  /** Whether what is drawn differs from the mask that was opened. */
  get different() {
    return this.mask.ids.some((id, i) => id !== this.base[i]);
  }

  /** One change from beginning to end: `paint` answers the box it painted. */
  act(paint) {
    if (this.busy) return;
    // A preview was made of what is painted over now; kept later, it would bring that back.
    if (this.snap.pending) this.snap.drop();
    this.mask.history.begin();
    this.surface.touch(paint());
    if (this.mask.history.end()) this.changed();
  }

  /** The mask is another one now: kept as a draft, steps and shares told anew. */
  changed() {
    this.ending.rest();
    this.draft.keep();
    this.#tellSteps();
  }

  #tellSteps() {
    this.head.showSteps(this.mask.history);
    clearTimeout(this.counting);
    // Counted when the hand rests: it looks at every pixel.
    this.counting = setTimeout(() => this.panel.showShares(this.mask.counts(), this.mask.ids.length), 150);
  }

  use(name) {
    if (name !== this.tool) this.polygon.drop();
    this.tool = name;
    this.bar.choose(name);
    this.#hint();
    this.#keepSettings();
    this.pointer.showRing();
    this.#say(TOOLS.find((tool) => tool.name === name).label);
  }

  choose(id) {
    this.painting = id;
    this.panel.choose(id);
    const packed = this.colours[id];
    this.root.style.setProperty("--ed-class", id === BACKGROUND || id === IGNORE ? "#ffffff" : `rgb(${packed & 255} ${(packed >> 8) & 255} ${(packed >> 16) & 255})`);
    this.#say(this.panel.nameOf(id));
  }

  /** A class was asked for: an eraser has no use for one, so it gives way to the brush. */
  paintWith(id) {
    this.choose(id);
    if (this.tool === "eraser" && id !== BACKGROUND) this.use("brush");
  }

  chooseNumber(number) {
    const id = this.panel.numbered(number);
    if (id !== null) this.paintWith(id);
  }

  /** The class that lies under the pointer is the one to paint with. */
  pick() {
    const event = this.pointer.last;
    const id = event ? this.mask.at(...this.surface.point(event.clientX, event.clientY).map(Math.floor)) : null;
    if (id !== null) this.paintWith(id);
  }

  resize(size) {
    this.size = Math.min(LARGEST_BRUSH, Math.max(1, Math.round(size)));
    this.panel.showSize(this.size);
    this.#keepSettings();
    this.pointer.showRing();
  }

  smaller() {
    if (this.snap.pending) this.snap.reachBy(-1);
    else this.resize(Math.min(this.size - 1, this.size / 1.25));
  }

  larger() {
    if (this.snap.pending) this.snap.reachBy(1);
    else this.resize(Math.max(this.size + 1, this.size * 1.25));
  }

  keepOthers(on) {
    this.mask.keepOthers = on;
    this.panel.showKeepOthers(on);
    this.#keepSettings();
  }

  undo() {
    if (this.polygon.pending) return this.polygon.back();
    this.#move("undo");
  }

  redo() {
    this.#move("redo");
  }

  #move(way) {
    if (this.busy || this.pointer.stroke || this.snap.pending) return;
    const box = this.mask.history[way]();
    if (!box) return;
    this.surface.touch(box);
    this.changed();
    this.#say(way === "undo" ? "Undone" : "Done again");
  }

  toggle(name) {
    this.surface.set({ [name]: !this.surface.view[name] });
    this.head.showView(this.surface.view);
  }

  fade(by) {
    this.surface.set({ opacity: Math.min(1, Math.max(0.1, this.surface.view.opacity + by)) });
    this.head.showView(this.surface.view);
  }

  fit() {
    this.surface.camera.fit();
    this.surface.redraw();
  }

  grow() {
    if (this.busy || this.pointer.stroke) return;
    if (this.begun.snap) return toast(this.begun.snap, "bad");
    if (this.painting === BACKGROUND || this.painting === IGNORE) return toast("Choose the class that is to grow; background and ignore have no edges of their own.");
    this.polygon.drop();
    this.snap.start(this.painting);
  }

  /** Enter: what is pending is kept. */
  keep() {
    if (this.snap.pending) this.snap.keep();
    else this.polygon.close();
  }

  /** Escape: what is pending is dropped; where nothing is, the editor closes. */
  drop() {
    if (this.snap.pending) this.snap.drop();
    else if (this.polygon.pending) this.polygon.drop();
    else if (!this.pointer.dropStroke()) this.leave();
  }

  back() {
    this.polygon.back();
  }

  onPoint(point) {
    const [x, y] = point?.map(Math.floor) ?? [];
    const id = point ? this.mask.at(x, y) : null;
    this.where.textContent = id === null ? "" : `${x}, ${y} · ${this.panel.nameOf(id)}`;
  }

  save() {
    return this.ending.save();
  }

  leave() {
    return this.ending.leave();
  }

  /** Gives the page back as it was. */
  close() {
    clearTimeout(this.counting);
    this.snap.drop();
    this.keys.close();
    this.surface.close();
    this.root.remove();
    this.image.close();
    for (const each of this.covered) each.inert = false;
    if (this.focused?.isConnected && this.tab.root.contains(this.focused)) this.focused.focus({ preventScroll: true });
  }

  #hint() {
    this.hint.textContent = this.snap.pending
      ? "Light stripes: what it would gain · dark stripes: what it would lose · Enter keeps · Esc drops · [ and ] change the reach"
      : TOOLS.find((tool) => tool.name === this.tool).hint;
  }

  #say(words) {
    this.said.textContent = words;
  }

  #keepSettings() {
    localStorage.setItem(KEPT, JSON.stringify({ tool: this.tool, size: this.size, keepOthers: this.mask.keepOthers }));
  }
}
