// The line above the film: which image, and how its maps are shown. Nothing here asks the server.
import { el } from "../ui.js";
import { COLOUR_MAPS, gradient } from "./colours.js";
import { stageMenu } from "./film.js";

const KEPT = "tagmask.view";
const DEFAULTS = { colourMap: "viridis", opacity: 0.72, photo: true, map: true, outline: true };

/** How maps are shown, as kept in this browser. */
export function keptView() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return { ...DEFAULTS, ...kept, colourMap: COLOUR_MAPS.includes(kept.colourMap) ? kept.colourMap : DEFAULTS.colourMap };
  } catch {
    return { ...DEFAULTS };
  }
}

export class Toolbar {
  /** `view` is changed in place; `onView(recolour)` is told, true where colours changed. `onStep(by)` goes to another image. */
  constructor({ view, film, camera, stages, onView, onStep }) {
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
    this.menu = el("details", { class: "tmv-popover" }, el("summary", { class: "tm-button quiet small", title: "Which panels are shown" }, "Panels"), stageMenu(film, stages));
    document.addEventListener("pointerdown", (event) => { if (!this.menu.contains(event.target)) this.menu.open = false; });
    this.root = el("div", { class: "tmv-toolbar" },
      el("div", { class: "tmv-toolbar-image" },
        button("‹", "Previous image ( [ )", () => onStep(-1), { class: "tm-button quiet small icon", "aria-label": "Previous image" }),
        button("›", "Next image ( ] )", () => onStep(1), { class: "tm-button quiet small icon", "aria-label": "Next image" }),
        this.name, this.size, this.state),
      el("div", { class: "tmv-toolbar-view" },
        el("div", { class: "tmv-swatches", role: "group", "aria-label": "Colour map of heat" }, this.maps), this.opacity, Object.values(this.switches), this.menu,
        el("div", { class: "tmv-zooms", role: "group", "aria-label": "Zoom" },
          button("−", "Zoom out (−)", () => camera.zoomAt(1 / 1.5), { class: "tm-button quiet small icon", "aria-label": "Zoom out" }), this.zoom,
          button("+", "Zoom in (+)", () => camera.zoomAt(1.5), { class: "tm-button quiet small icon", "aria-label": "Zoom in" }))));
    this.#mark();
  }

  toggle(name) {
    this.set({ [name]: !this.view[name] });
  }

  set(changes, recolour = false) {
    Object.assign(this.view, changes);
    localStorage.setItem(KEPT, JSON.stringify(this.view));
    this.#mark();
    this.onView(recolour);
  }

  show(image) {
    this.name.textContent = image.name;
    this.name.title = image.name;
    this.size.textContent = `${image.width} × ${image.height}`;
  }

  say(text) {
    this.state.textContent = text;
  }

  #mark() {
    for (const swatch of this.maps) swatch.setAttribute("aria-pressed", String(swatch.dataset.name === this.view.colourMap));
    for (const name of ["photo", "map", "outline"]) this.switches[name].setAttribute("aria-pressed", String(this.view[name]));
    this.opacity.style.setProperty("--share", this.view.opacity);
  }
}
