// The film of a run: what its network looks at in a few examples, frame by frame, as training goes on.
import { el, formatNumber } from "../ui.js";
import { gradient, paintHeat } from "../viewer/colours.js";
import { keptView } from "../viewer/kept.js";
import { ACTIVE } from "./words.js";

const HEIGHT = 96;
const PAUSE = 220;
const PAUSE_REDUCED = 1000;
const ONE_ROW_FROM = 880;

export class Film {
  /** `onStep(step or null)` hears which step is looked back at; null while the newest is shown. `measured(step)` is what to say of a step. */
  constructor({ onStep, measured }) {
    this.onStep = onStep;
    this.measured = measured;
    this.play = el("button", { type: "button", class: "tm-button small tr-film-play", onclick: () => this.#toggle() });
    this.slider = el("input", { type: "range", class: "tr-film-slider", min: 0, max: 0, step: 1, value: 0, "aria-label": "Frame of the film", oninput: () => this.#scrub() });
    this.said = el("output", { class: "tr-film-step" });
    this.newest = el("button", { type: "button", class: "tm-button quiet small tr-film-newest", title: "Show every new frame as it comes", onclick: () => this.#follow() }, "Newest");
    this.scale = el("i", {});
    this.legend = el("span", { class: "tr-film-scale", title: "Attention: none to the strongest of the image; of a segmenter the probability of the tag" }, "0", this.scale, "1");
    this.strip = el("div", { class: "tr-film-strip" });
    this.empty = el("p", { class: "tr-film-empty" });
    this.missing = el("p", { class: "tr-film-missing", role: "status", hidden: true }, "The photographs of this film cannot be loaded (film/photographs.jpg in the run's folder), so its maps are shown without them.");
    this.controls = el("div", { class: "tr-film-controls" }, this.play, this.slider, this.said, this.newest);
    this.node = el("section", { class: "tr-film", "aria-label": "Film of example maps" },
      el("header", {}, el("h3", {}, "Film"), this.controls, this.legend), this.missing, this.strip, this.empty);
    new ResizeObserver(() => this.#arrange()).observe(this.strip);
    this.pick(null);
  }

  /** Turns to another job's film. */
  pick(job) {
    this.#stop();
    this.job = job;
    this.frames = [];
    this.heats = new Map();
    this.photographs = null;
    this.layout = "";
    this.at = 0;
    this.following = true;
    this.figures = [];
    this.missing.hidden = true;
    this.strip.replaceChildren();
    this.#controls();
  }

  /** Takes new frames in; `state` is the job's. */
  add(frames, state) {
    for (const frame of frames) {
      // A resumed run goes back to its checkpoint and makes what came after it again.
      while (this.frames.length && this.frames.at(-1).step >= frame.step) this.frames.pop();
      this.frames.push(frame);
    }
    // Photographs that could not be had may be there with the next frame.
    if (frames.length && !this.missing.hidden) this.photographs = null;
    // An example that can no longer be read changes the places: earlier frames do not fit them.
    const layout = JSON.stringify(this.frames.at(-1)?.frame);
    if (frames.length && this.frames.some((frame) => JSON.stringify(frame.frame) !== layout)) {
      this.frames = this.frames.filter((frame) => JSON.stringify(frame.frame) === layout);
      this.photographs = null;
    }
    this.empty.textContent = ACTIVE.includes(state)
      ? "No frame yet. The trainer looks at a few examples at most twenty times a run, at least ten steps apart, and after the last step; --watch-every sets other steps. The first look makes the first frame."
      : "This run has no film: it ended before its first look, or was told not to look (--watch-every -1).";
    if (!frames.length && this.drawn === this.#look()) return;
    if (this.following) this.at = Math.max(0, this.frames.length - 1);
    this.at = Math.min(this.at, Math.max(0, this.frames.length - 1));
    this.#show();
  }

  #url(frame, name) {
    return `/tagmask/api/train/film/${this.job}/${name}?at=${frame.time}`;
  }

  /** How the maps are coloured now: as the Inspect tab was told to. */
  #look() {
    const { colourMap, opacity } = keptView();
    return `${colourMap} ${opacity}`;
  }

  #controls() {
    const { frames, at } = this;
    const frame = frames[at];
    this.empty.hidden = frames.length > 0;
    this.controls.hidden = this.legend.hidden = this.strip.hidden = !frames.length;
    this.play.textContent = this.timer ? "Pause" : "Play";
    this.play.title = this.timer ? "Stop at this frame" : "From here to the newest frame, or from the first again";
    this.play.disabled = frames.length < 2;
    this.slider.max = Math.max(0, frames.length - 1);
    this.slider.value = at;
    this.slider.disabled = frames.length < 2;
    this.newest.toggleAttribute("data-idle", this.following);
    if (!frame) return;
    this.slider.setAttribute("aria-valuetext", `step ${formatNumber(frame.step)}, frame ${at + 1} of ${frames.length}`);
    this.said.replaceChildren(el("b", {}, `step ${formatNumber(frame.step)}`), ` ${this.measured(frame.step)}`);
    this.scale.style.backgroundImage = gradient(keptView().colourMap);
  }

  async #show() {
    this.#controls();
    const frame = this.frames[this.at];
    this.onStep(this.following || !frame ? null : frame.step);
    if (!frame) return;
    const asked = `${this.job} ${frame.time}`;
    this.asked = asked;
    try {
      const [photographs, values] = await Promise.all([this.#photographs(frame), this.#heat(frame)]);
      if (this.asked === asked) this.#draw(frame, photographs, values);
    } catch {
      if (this.asked === asked) this.said.textContent = `step ${formatNumber(frame.step)}: this frame could not be loaded`;
    }
    const next = this.frames[this.at + 1];
    if (this.timer && next) this.#heat(next).catch(() => {});
  }

  /** The photographs in grey, once a film; null where they cannot be loaded. */
  #photographs(frame) {
    this.photographs ??= bitmap(this.#url(frame, "photographs.jpg")).then((image) => {
      const grey = new OffscreenCanvas(image.width, image.height);
      const pen = grey.getContext("2d");
      pen.filter = "grayscale(1)";
      pen.drawImage(image, 0, 0);
      return grey;
    }).catch(() => null);
    return this.photographs;
  }

  /** {width, values: Uint8Array} of a frame, kept once read. */
  #heat(frame) {
    const url = this.#url(frame, frame.file.split("/").at(-1));
    if (!this.heats.has(url)) {
      const heat = bitmap(url).then((image) => {
        const pen = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
        pen.drawImage(image, 0, 0);
        const { data } = pen.getImageData(0, 0, image.width, image.height);
        return { width: image.width, values: Uint8Array.from({ length: image.width * image.height }, (_, at) => data[4 * at]) };
      });
      heat.catch(() => this.heats.delete(url));
      this.heats.set(url, heat);
    }
    return this.heats.get(url);
  }

  #draw(frame, photographs, { width, values }) {
    this.missing.hidden = photographs !== null;
    this.#place(frame.frame);
    const { colourMap, opacity } = keptView();
    const layer = new OffscreenCanvas(width, HEIGHT);
    const pen = layer.getContext("2d");
    const image = pen.createImageData(width, HEIGHT);
    paintHeat(values, new Uint32Array(image.data.buffer), colourMap);
    pen.putImageData(image, 0, 0);
    for (const [index, { left, width: wide }] of frame.frame.entries()) {
      const context = this.figures[index].firstElementChild.getContext("2d");
      context.globalAlpha = 1;
      context.clearRect(0, 0, wide, HEIGHT);
      if (photographs) context.drawImage(photographs, left, 0, wide, HEIGHT, 0, 0, wide, HEIGHT);
      context.globalAlpha = photographs ? opacity : 1;
      context.drawImage(layer, left, 0, wide, HEIGHT, 0, 0, wide, HEIGHT);
    }
    this.drawn = this.#look();
    this.node.dataset.step = frame.step;
  }

  /** A figure for each example; kept while the examples stay the same. */
  #place(examples) {
    const layout = JSON.stringify(examples);
    if (layout === this.layout) return;
    this.layout = layout;
    this.figures = examples.map(({ image, tag, width }) =>
      el("figure", { title: `${image}: where the network sees “${tag}”`, style: { flex: `${width} 1 0` }, dataset: { width } },
        el("canvas", { width, height: HEIGHT, role: "img", "aria-label": `Map of ${tag} over ${image}` }),
        el("figcaption", {}, el("b", {}, tag), ` ${image}`)));
    this.rows = 0;
    this.#arrange();
  }

  /** One row where it is wide enough to see something, else two; all pictures of a row equally high. */
  #arrange() {
    const rows = this.strip.clientWidth >= ONE_ROW_FROM || this.figures.length < 5 ? 1 : 2;
    if (rows === this.rows || !this.figures.length) return;
    this.rows = rows;
    const each = Math.ceil(this.figures.length / rows);
    const wide = (figures) => figures.reduce((sum, figure) => sum + Number(figure.dataset.width), 0);
    const parts = Array.from({ length: rows }, (_, row) => this.figures.slice(row * each, (row + 1) * each));
    const most = Math.max(...parts.map(wide));
    this.strip.replaceChildren(...parts.map((figures) =>
      // A row of less than the others stays as high as they are.
      el("div", { style: { width: `${(100 * wide(figures)) / most}%`, maxWidth: `${1.8 * wide(figures)}px` } }, figures)));
  }

  #scrub() {
    this.#stop();
    this.at = Number(this.slider.value);
    this.following = this.at === this.frames.length - 1;
    this.#show();
  }

  #follow() {
    this.#stop();
    this.following = true;
    this.at = this.frames.length - 1;
    this.#show();
  }

  #toggle() {
    if (this.timer) {
      this.#stop();
      this.following = this.at === this.frames.length - 1;
      return this.#show();
    }
    if (this.at >= this.frames.length - 1) this.at = 0;
    this.following = false;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.timer = setInterval(() => this.#next(), still ? PAUSE_REDUCED : PAUSE);
    this.#show();
  }

  #next() {
    if (this.strip.offsetParent === null) return;
    this.at = Math.min(this.at + 1, this.frames.length - 1);
    if (this.at === this.frames.length - 1) {
      this.#stop();
      this.following = true;
    }
    this.#show();
  }

  #stop() {
    clearInterval(this.timer);
    this.timer = null;
  }
}

async function bitmap(url) {
  const answer = await fetch(url, { headers: { "X-Tagmask": "1" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return createImageBitmap(await answer.blob());
}
