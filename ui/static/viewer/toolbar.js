// The line above the film: which image, and how its maps are shown. Nothing here asks the server.
import { el } from "../ui.js";
import { COLOUR_MAPS, gradient } from "./colours.js";
import { stageMenu } from "./film.js";
import { keepView, keptView } from "./kept.js";

export { keptView };

export class Toolbar {
  /** `view` is changed in place; `onView(recolour)` is told, true where colours changed. `onStep(by)` goes to another image, `onCompare()` begins or ends a comparison. */
  constructor({ view, film, camera, onView, onStep, onCompare, onDifference, onFigure }) {
    this.view = view;
    this.onView = onView;
    const button = (text, title, onclick, more = {}) => el("button", { type: "button", class: "tm-button quiet small", title, onclick, ...more }, text);
    this.name = el("span", { class: "tmv-image-name" });
    this.size = el("span", { class: "tm-faint", title: "Width and height in pixels" });
    this.state = el("span", { class: "tmv-state", title: "How long the server took for all stages" });
    this.maps = COLOUR_MAPS.map((name) => el("button", {
      type: "button", class: "tmv-swatch", title: `Colour map ${name}`, "aria-label": `Colour map ${name}`, dataset: { name }, style: { backgroundImage: gradient(name) },
      onclick: () => this.set({ colourMap: name }, true),
    }));
    this.opacity = el("input", { type: "range", min: 0, max: 1, step: 0.01, value: view.opacity, title: "How opaque the maps lie over the photograph", "aria-label": "Opacity of the maps", oninput: () => this.set({ opacity: Number(this.opacity.value) }) });
    this.switches = { photo: ["Photo", "The photograph beneath (P)"], map: ["Map", "The maps themselves (M)"], outline: ["Outline", "Borders of zones and labels (O)"] };
    for (const [name, [text, title]] of Object.entries(this.switches)) {
      this.switches[name] = button(text, title, () => this.toggle(name));
    }
    this.zoom = button("100%", "Back to the whole image (0)", () => camera.reset(), { class: "tm-button quiet small tmv-zoom" });
    camera.addEventListener("view", () => { this.zoom.textContent = `${Math.round(camera.zoom * 100)}%`; });
    const menu = el("div", { class: "tmv-menu" });
    this.menu = el("details", { class: "tmv-popover", ontoggle: () => { if (this.menu.open) menu.replaceChildren(...stageMenu(film)); } }, el("summary", { class: "tm-button quiet small", title: "Which panels are shown" }, "Panels"), menu);
    this.compare = button("Compare", "Two networks or methods side by side (C)", onCompare, { class: "tm-button small tmv-compare" });
    this.difference = button("A − B", "The difference of the final attention, tag by tag (D)", onDifference, { hidden: true });
    document.addEventListener("pointerdown", (event) => { if (!this.menu.contains(event.target)) this.menu.open = false; });
    this.root = el("div", { class: "tmv-toolbar" },
      el("div", { class: "tmv-toolbar-image" }, el("div", { class: "tmv-toolbar-line" },
        button("‹", "Previous image ( [ )", () => onStep(-1), { class: "tm-button quiet small icon", "aria-label": "Previous image" }),
        button("›", "Next image ( ] )", () => onStep(1), { class: "tm-button quiet small icon", "aria-label": "Next image" }),
        this.name, this.size, this.state, el("span", { class: "tmv-toolbar-gap" }), this.difference, button("Figure…", "A panel for a paper of what is shown, as PNG, PDF or SVG", onFigure, { class: "tm-button small" }), this.compare)),
      el("div", { class: "tmv-toolbar-view" },
        el("div", { class: "tmv-swatches", role: "group", "aria-label": "Colour map of heat" }, this.maps), this.opacity, Object.values(this.switches), this.menu,
        el("div", { class: "tmv-zooms", role: "group", "aria-label": "Zoom" },
          button("−", "Zoom out (−)", () => camera.zoomAt(1 / 1.5), { class: "tm-button quiet small icon", "aria-label": "Zoom out" }), this.zoom,
          button("+", "Zoom in (+)", () => camera.zoomAt(1.5), { class: "tm-button quiet small icon", "aria-label": "Zoom in" }))));
    this.comparing(false);
    this.#mark();
  }

  toggle(name) {
    this.set({ [name]: !this.view[name] });
  }

  set(changes, recolour = false) {
    Object.assign(this.view, changes);
    keepView(this.view);
    this.#mark();
    this.onView(recolour);
  }

  /** Shows maps as an address says, without keeping that in this browser. */
  look(changes) {
    Object.assign(this.view, changes);
    this.opacity.value = this.view.opacity;
    this.#mark();
    this.onView(true);
  }

  show(image) {
    this.name.textContent = image.name;
    this.name.title = image.name;
    this.size.textContent = `${image.width} × ${image.height}`;
  }

  say(text) {
    this.state.textContent = text;
  }

  /** Marks whether two sides are shown. */
  comparing(on) {
    this.compare.setAttribute("aria-pressed", String(on));
    this.difference.hidden = !on;
  }

  #mark() {
    this.difference.setAttribute("aria-pressed", String(this.view.difference));
    for (const swatch of this.maps) swatch.setAttribute("aria-pressed", String(swatch.dataset.name === this.view.colourMap));
    for (const name of ["photo", "map", "outline"]) this.switches[name].setAttribute("aria-pressed", String(this.view[name]));
    this.opacity.style.setProperty("--share", this.view.opacity);
  }
}
